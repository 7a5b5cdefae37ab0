"""YAML files that are not one clear thing, or that nobody can wait for, are refused in one line for each fault."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from training_hub.config.strict_yaml import check
from training_hub.errors import ConfigError

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def said(tmp_path: Path) -> object:
    """The faults of a file with this content."""

    def faults(content: str | bytes) -> list[str]:
        file = tmp_path / "mine.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            check(file, "mine.yaml")
        except ConfigError as error:
            return list(error.faults)
        return []

    return faults


@pytest.mark.parametrize(
    "content",
    [
        "", "# @package _global_\n", "lr: 1\nmodel: {path: a}\n", "base: &a {x: 1, y: 2}\nuse: {<<: *a, y: 3}\n",
        "a: &a {x: 1}\nb: &b {y: 1}\nc: {<<: [*a, *b]}\n", "patterns: {model.layers.0: 1}\n", '"1": 2\n"on": 3\n',
    ],
)  # fmt: skip
def test_what_is_clear_is_read(said: object, content: str) -> None:
    assert said(content) == []  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("1: 2", "1: a key must be text, to YAML this is a number (mine.yaml, line 1); put it in quotes"),
        ("a:\n  on: 2", "on: a key must be text, to YAML this is true or false (mine.yaml, line 2); put it in quotes"),
        ("a: [{~: 2}]", "~: a key must be text, to YAML this is null (mine.yaml, line 1); put it in quotes"),
        ("1e3: 2", "1e3: a key must be text, to YAML this is a number (mine.yaml, line 1); put it in quotes"),
        ("? [a]\n: 2", "?: a key must be text, to YAML this is sequence (mine.yaml, line 1); put it in quotes"),
        ("lr: 1\nlr: 1", "lr: is given twice (mine.yaml, lines 1 and 2); keep one of the two"),
        ("a: {b: 1,\n 'b': 2}", "b: is given twice (mine.yaml, lines 1 and 2); keep one of the two"),
        ("a: &a {x: 1}\nb: {<<: *a,\n <<: *a}", "<<: is given twice (mine.yaml, lines 2 and 3); name both after one"),
        ("a: &a {x: 1}\nb: &b {x: 2}\nc: {<<: [*a, *b]}", "x: comes from two merged parts (mine.yaml, line 3); set it"),
        ("recipe.optim: 1", "recipe.optim: no name of a setting (mine.yaml, line 1); write optim below recipe"),
        ("a: !!set {x}", "tag:yaml.org,2002:set: no kind of value that a config may have (mine.yaml, line 1); drop it"),
        ("a: [!run x]", "!run: no kind of value that a config may have (mine.yaml, line 1); drop it"),
        ("- a", "mine.yaml: must hold settings, not a list; write NAME: VALUE"),
        ("a", "mine.yaml: must hold settings, not a single value; write NAME: VALUE"),
        ("a: [1", "mine.yaml, line "),
        ("a: *b", "mine.yaml, line "),
        ("a: 1\n--- \nb: 1", "mine.yaml, line "),
        ("a: \x01", "mine.yaml: not valid YAML: "),
        (b"a: \xff", "mine.yaml: not valid UTF-8; save it as UTF-8"),
        ("\ufeffa: 1", "mine.yaml: begins with a byte order mark; save it as UTF-8 without one"),
        ("a: &a {b: *a}", "mine.yaml: *a refers to what it is part of; write it out"),
        (LAUGHS, "mine.yaml: more than 20,000 values, those of anchors included; write less"),
        ("a: " + "[" * 100_000, "mine.yaml: nested deeper than 50 levels; write it flatter"),
        ("a: " + "{a: " * 100_000, "mine.yaml: nested deeper than 50 levels; write it flatter"),
        ("a" * 2**21, "mine.yaml: larger than 1 MiB; keep data in files of their own"),
    ],
)
def test_what_is_not_is_refused_at_once(said: object, content: str | bytes, fault: str) -> None:
    started = time.monotonic()
    (line,) = said(content)  # type: ignore[operator]
    assert line.startswith(fault)
    assert time.monotonic() - started < 2


def test_every_fault_is_told(said: object) -> None:
    assert len(said("1: 2\non: 3\nlr: 4\nlr: 5\n")) == 3  # type: ignore[operator]


@pytest.mark.parametrize("word", ["overide", "optionl", "overide optional", "nonsense"])
def test_a_word_that_hydra_passes_over_is_refused(word: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"defaults:\n  - {word} /adapter: lora\n")
    with pytest.raises(ConfigError, match=r"no such entry of a defaults list \(mine.yaml, line 2\)"):
        check(file, "mine.yaml")
