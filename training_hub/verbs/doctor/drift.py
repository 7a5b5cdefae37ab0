"""How the arguments of an installed library differ from those that a backend was tested with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from omegaconf import OmegaConf
from packaging.requirements import Requirement

from training_hub import train
from training_hub.config.choices import options, read_option
from training_hub.config.composition import Composition
from training_hub.config.schema import search_path
from training_hub.config.tested import recorded
from training_hub.installed.interpreter import versions
from training_hub.installed.signature import declared

Declared = dict[str, str]  # by name: `int = 3`
_CLOSE = 0.6  # how much alike two names are that may be one argument's


@dataclass(frozen=True)
class Difference:
    """One argument that is not as it was. lines: where recipes give it; reserved: whether the backend's code may."""

    target: str
    name: str
    what: str
    lines: tuple[str, ...] = ()
    reserved: bool = False

    @property
    def breaks(self) -> bool:
        """Whether a recipe gives an argument that is no more."""
        return bool(self.lines) and self.what.startswith(("gone", "renamed"))


def record(backend: str, python: str | None = None) -> dict[str, Any]:
    """What `recorded` would have to return for what an interpreter has; None: the one that runs this program."""
    requires = read_option("backend", backend)["requires"]
    targets = sorted({target for _, _, target in _recipes(backend)})
    return {
        "versions": _public([Requirement(text).name for text in requires], python),
        "arguments": {target: _now(target, python) for target in targets},
    }


def other_versions(backend: str, python: str | None) -> list[str]:
    """The libraries that are there in another version than was tested: `trl 1.15.0, tested with 1.16.0`."""
    tested = recorded(backend)["versions"]
    here = _public(list(tested), python)
    other = {name: version for name, version in here.items() if version and version != tested[name]}
    return [f"{name} {version}, tested with {tested[name]}" for name, version in other.items()]


def _public(names: Sequence[str], python: str | None) -> dict[str, str | None]:
    """Installed versions without what tells one build from another: `2.13.0+cpu` -> `2.13.0`."""
    return {name: version and version.partition("+")[0] for name, version in versions(names, python).items()}


def as_tested(composition: Composition) -> Composition:
    """A composition that may hold arguments as well that were tested and are gone since: `drift` speaks of those."""
    schema, tested = composition.schema, recorded(composition.choices["backend"])["arguments"]

    def then(path: str) -> Declared:
        return dict(tested.get(str(OmegaConf.select(composition.cfg, f"{path}._target_")), {}))

    libraries = {path: known and then(path) | dict(known) for path, known in schema.libraries.items()}
    found = copy(composition)
    vars(found)["schema"] = replace(schema, libraries=libraries)  # in place of the one that would be looked up
    return found


def drift(backend: str, python: str | None) -> list[Difference]:
    """Every argument that is not as it was recorded; a library that is not there has none."""
    found = []
    for target, then in recorded(backend)["arguments"].items():
        now = _now(target, python)
        if now is not None and now != then:
            found += [Difference(target, name, what) for name, what in compared(then, now).items()]
    return _with_lines(backend, found) if found else []


def compared(then: Declared, now: Declared) -> dict[str, str]:
    """What became of each argument that is not as it was."""
    gone = {name: text for name, text in then.items() if name not in now}
    new = {name: text for name, text in now.items() if name not in then}
    found = {}
    for name, text in gone.items():
        successor = _successor(name, text, new)
        new.pop(successor or "", None)
        found[name] = f"renamed to {successor}" if successor else "gone"
    found |= {name: f"new: {text}" for name, text in new.items()}
    return found | {
        name: f"was {then[name]}, is {now[name]}" for name in then if name in now and then[name] != now[name]
    }


def _successor(name: str, text: str, new: Mapping[str, str]) -> str | None:
    """The new argument that an old one most likely became: of a name like it, and of its type and default at best."""
    likeness = {other: SequenceMatcher(None, name, other).ratio() for other in new}
    close = [other for other, ratio in likeness.items() if ratio >= _CLOSE or name in other or other in name]
    return max(close, key=lambda other: (new[other] == text, likeness[other]), default=None)


def _now(target: str, python: str | None) -> Declared | None:
    found = declared(target, search_path(target, python))
    return None if found is None else {name: str(each) for name, each in found.items()}


def _recipes(backend: str) -> Iterator[tuple[Composition, str, str]]:
    """For each algorithm on a backend: the composition, and each of its nodes that names a library's class, with it."""
    for algorithm in options("algorithm"):
        if backend in options(f"recipe/{algorithm}"):
            composition = train.composed([f"algorithm={algorithm}", f"backend={backend}"])
            for path in () if composition.classes.are_registered else composition.schema.libraries:
                if target := OmegaConf.select(composition.cfg, f"{path}._target_"):
                    yield composition, path, str(target)


def _with_lines(backend: str, differences: Sequence[Difference]) -> list[Difference]:
    """The same with what gives these arguments."""
    recipes = list(_recipes(backend))

    def given(each: Difference) -> Difference:
        mine = [(composition, f"{path}.{each.name}") for composition, path, target in recipes if target == each.target]
        places = [
            source.place(key).strip(" ()")
            for composition, key in mine
            for source in composition.sources
            if key in source.keys
        ]
        reserved = any(each.name in names for composition, _ in mine for names in composition.schema.reserved.values())
        return replace(each, lines=tuple(dict.fromkeys(places)), reserved=reserved)

    return [given(each) for each in differences]
