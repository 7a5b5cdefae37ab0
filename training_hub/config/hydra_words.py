"""What Hydra says of a defaults list, in the project's grammar: the entry, the file, the way out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable

from hydra.core.default_element import InputDefault

from training_hub.config import groups, strict_yaml
from training_hub.config.groups import GROUPS
from training_hub.config.sources import place
from training_hub.errors import enumerate_names, suggestion

OF_RECIPE = "follows from algorithm and backend; choose those"
_ENTRY = "write - GROUP: OPTION below it"


def loop_fault(error: RecursionError) -> str:
    """A defaults list that leads back to itself, with the files on the way."""
    parents = (frame.f_locals.get("parent") for frame, _ in traceback.walk_tb(error.__traceback__))
    paths = [each.get_config_path() for each in parents if isinstance(each, InputDefault)]
    names = [f"{path}.yaml" for path in dict.fromkeys(paths[-20:])]
    return f"defaults: {enumerate_names(sorted(names)) or 'a file'}: leads back to itself; take one of the entries out"


def in_our_words(message: str) -> str | None:
    """Hydra's message about a defaults list as a fault; None for any other."""
    for pattern, said in _SAID.items():
        if found := re.search(pattern, message):
            return said(*found.groups())
    return None


def _nothing_to_override(file: str, group: str) -> str:
    folder = file.rpartition("/")[0]
    inner = group.removeprefix(f"{folder}/")
    if group.split("/")[0] == "recipe":
        return f"override /{group}{_line(file, f'/{group}')}: {OF_RECIPE}"
    if inner != group and inner in GROUPS:
        return f"override {inner}: is looked for below {folder}/{_line(file, inner)}; write override /{inner}"
    way = suggestion(group, GROUPS).replace("mean ", "mean override /") or "drop the word override"
    return f"override {group}: there is nothing to override{_line(file, inner) or _line(file, f'/{group}')}; {way}"


def _line(file: str, group: str) -> str:
    path = groups.CONF / f"{file}.yaml"
    return place(path, file, f"defaults.override {group}") if path.exists() else f" ({file}.yaml)"


def _twice(group: str) -> str:
    return f"{group}: is chosen in two defaults lists; in the second write override /{group}: OPTION"


def _no_list(file: str, kind: str) -> str:
    return f"{file}.yaml: defaults must be a list, not {kind}; {_ENTRY}"


def _no_entry(kind: str) -> str:
    return f"defaults: an entry must be a config or GROUP: OPTION, not {kind}; {_ENTRY}"


def _unknown_reference(text: str) -> str:
    return f"defaults: {text}: names no group that is chosen; use ${{GROUP}}"


def _no_word(file: str, word: str) -> str:
    path = groups.CONF / f"{file}.yaml"
    if path.exists():
        strict_yaml.check(path, f"{file}.yaml")  # says where, and the right word
    return f"{word}: no such word in a defaults list ({file}.yaml); leave it out"


_SAID: dict[str, Callable[..., str]] = {
    r"In '([^']+)': Could not override '([^'@]+)": _nothing_to_override,
    r"In '([^']+)': Invalid Defaults List override .*\s+No earlier Group Default for '([^'@]+)": _nothing_to_override,
    r"Multiple values for ([^ ]+)\. To override a value": _twice,
    r"^(\S+) appears more than once in the final defaults list": _twice,
    r"Invalid defaults list in '([^']+)', defaults must be a list \(got (\w+)\)": _no_list,
    r"Unsupported type in defaults : (\w+)": _no_entry,
    r"Error resolving interpolation '([^']+)', possible interpolation keys": _unknown_reference,
    r"In '?([^':]+)'?: Unsupported keyword '([^']+)' in defaults list": _no_word,
}
