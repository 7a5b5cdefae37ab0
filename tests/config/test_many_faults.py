"""Many faults, and sweeps of many runs, are told of in seconds and in few lines."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from training_hub.cli import main
from training_hub.errors import ConfigError, nearest


@pytest.mark.parametrize("node", ["", "recipe.", "model.", "logger.x."])
def test_two_thousand_unknown_keys_are_counted(node: str, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    assert main(["explain", *(f"++{node}strange_{number}={number}" for number in range(2000))]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 if node == "logger.x." else lines[-1] == "1,980 more keys: no such parameter"
    assert len(lines) <= 21
    assert time.monotonic() - started < 30


def test_a_file_of_them_is_read_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiment").mkdir()
    lines = "".join(f"strange_{number}: {number}\n" for number in range(2000))
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{lines}")
    started = time.monotonic()
    assert main(["explain", f"--config-dir={tmp_path}", "experiment=mine"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("strange_0=0: no such parameter (experiment/mine.yaml, line 2)")
    assert said[-1] == "1,980 more keys: no such parameter"
    assert time.monotonic() - started < 30


def test_a_message_has_the_first_of_many_faults() -> None:
    error = ConfigError(*(f"x{number}=1: wrong" for number in range(70)))
    assert len(error.faults) == 70
    assert str(error).splitlines()[-2:] == ["x49=1: wrong", "... and 20 more"]


def test_no_name_is_near_a_very_long_one() -> None:
    assert nearest("learning_rat" * 100_000, ["learning_rate"]) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["seed=range(0,100000000)"],
            "-m seed=range(0,100000000): 100,000,000 runs; a sweep can have at most",
        ),
        (
            ["seed=shuffle(range(0,100000000))"],
            "-m seed=shuffle(range(0,100000000)): 100,000,000 runs; a sweep can have",
        ),
        (
            ["lr=range(0,1e308,1e-300)"],
            "-m lr=range(0,1e308,1e-300): an unbounded number of runs; a sweep can have at most 10,000;",
        ),
        (
            [f"{key}=range(0,30)" for key in ("seed", "max_steps", "warmup_steps")],
            "-m seed=range(0,30) max_steps=range(0,30) warmup_steps=range(0,30): 27,000 runs; a sweep can have at most",
        ),
        (["seed=range(0,1,0)"], "seed=range(0,1,0): holds no values; check its bounds or its pattern"),
        (["experiment=a,b"], "experiment=a,b: no such option; choose from quickstart"),
        (["algorithm=a,b"], "algorithm=a,b: no such option; choose from dpo, lora_sft, osft, sft"),
    ],
)
def test_sweeps_that_cannot_be_are_refused_at_once(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    for verb in (["plan"], []):
        assert main([*verb, "-m", *words, "model_path=m", "data_path=d"]) == 2
        assert capsys.readouterr().err.startswith(said)
    assert time.monotonic() - started < 20
