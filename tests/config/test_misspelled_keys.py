"""Every key of every shipped config, misspelled by one edit, is refused and the right name suggested."""

from __future__ import annotations

import random
import re
import shutil
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from training_hub import train
from training_hub.config import groups
from training_hub.config.check import check
from training_hub.errors import ConfigError

ENOUGH_RIGHT = 0.95
Answers = dict[tuple[str, int, str], list[str]]


def keys_of(file: Path) -> Iterator[tuple[int, int, str]]:
    """Line, column and name of every key of a YAML file, those in lists included."""

    def walk(node: yaml.Node) -> Iterator[tuple[int, int, str]]:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                yield key.start_mark.line, key.start_mark.column, key.value
                yield from walk(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from walk(item)

    root = yaml.compose(file.read_text(), Loader=yaml.SafeLoader)
    if root is not None:
        yield from walk(root)


def misspell(name: str, dice: random.Random) -> str:
    """One edit: a letter left out, doubled by another, replaced, or two swapped."""
    letters = [place for place, letter in enumerate(name) if letter.isalpha()]
    place = dice.choice(letters)
    other = dice.choice(string.ascii_lowercase)
    edits = {
        "drop": name[:place] + name[place + 1 :],
        "add": name[:place] + other + name[place:],
        "replace": name[:place] + other + name[place + 1 :],
        "swap": name[:place] + name[place + 1 : place + 2] + name[place] + name[place + 2 :],
    }
    changed = [text for text in edits.values() if text != name and text]
    return dice.choice(changed)


def choosing(file: Path) -> list[str]:
    """Overrides that make a config read this file."""
    group, _, option = file.relative_to(groups.CONF).with_suffix("").as_posix().partition("/")
    if not option or group in groups.WHOLE:
        return []
    if group == "recipe":
        algorithm, backend = option.split("/")
        return [f"algorithm={algorithm}", f"backend={backend}"]
    if group == "backend":
        pair = next(groups.CONF.glob(f"recipe/*/{option}.yaml"))
        return [f"algorithm={pair.parent.name}", f"backend={option}"]
    return [f"{group}=[{option}]" if group == "logger" else f"{group}={option}"]


CASES = [
    (file.relative_to(groups.CONF).as_posix(), line, column, name)
    for file in sorted(groups.CONF.rglob("*.yaml"))
    for line, column, name in keys_of(file)
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the project says to each misspelling."""
    copy = tmp_path_factory.mktemp("conf") / "conf"
    shutil.copytree(groups.CONF, copy)
    dice = random.Random(7)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for path, line, column, name in CASES:
            overrides = choosing(groups.CONF / path)
            lines = (copy / path).read_text().splitlines(keepends=True)
            wrong = misspell(name, dice)
            changed = lines[line][:column] + lines[line][column:].replace(name, wrong, 1)
            original = (copy / path).read_text()
            (copy / path).write_text("".join([*lines[:line], changed, *lines[line + 1 :]]))
            with patch.context() as inside:
                inside.setattr(groups, "CONF", copy)
                found[path, line, name] = faults(overrides)
            (copy / path).write_text(original)
    return found


def faults(overrides: list[str]) -> list[str]:
    """The faults of a composition; missing parameters are not among them."""
    try:
        composition = train.composed(overrides)
        return check(composition, allow_missing=True)
    except ConfigError as error:
        return list(error.faults)


def test_the_shipped_configs_have_no_faults() -> None:
    for file in groups.CONF.rglob("*.yaml"):
        assert faults(choosing(file)) == [], file


def test_every_misspelled_key_is_refused(answers: Answers) -> None:
    assert [case for case, texts in answers.items() if not texts] == []


def test_nearly_every_misspelled_key_gets_the_right_name_and_place(answers: Answers) -> None:
    wrong = {case: texts for case, texts in answers.items() if not any(names(text, case) for text in texts)}
    assert len(wrong) <= (1 - ENOUGH_RIGHT) * len(answers), wrong


def names(text: str, case: tuple[str, int, str]) -> bool:
    """Whether an answer names the right key, and the file and line where the wrong one stands."""
    path, line, key = case
    meant = text.partition("did you mean ")[2].removesuffix("?")
    last = re.split("[. /]+", key)[-1]
    return f"({path}, line {line + 1})" in text and re.split("[. /]+", meant)[-1] == last
