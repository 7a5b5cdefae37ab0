"""Rows reach a logger once each, in order, whatever happens to the logger or to the run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.run import RunDir, TrainResult
from training_hub.sweep_dir import SweepDir
from training_hub.workers.loggers import beside
from training_hub.workers.loggers.beside import Loggers

Make = Callable[..., tuple[RunDir, dict[str, Any]]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.chdir(Path(__file__).parents[2])  # where the process finds tests.loggers.odd

    def made(kind: str) -> tuple[RunDir, dict[str, Any]]:
        run = RunDir(tmp_path / "sweep" / "run")
        run.path.mkdir(parents=True, exist_ok=True)
        config = {"lr": 1.0, "logger": {"jsonl": {"worker": None}, "odd": {"worker": f"tests.loggers.odd.{kind}"}}}
        run.create(config, [], {"algorithm": "sft"})
        return run, config

    return made


def completed(run: RunDir) -> TrainResult:
    return TrainResult("completed", str(run.path))


def kept(run: RunDir) -> list[str]:
    return (run.path / "kept").read_text().splitlines()


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_run_that_goes_on_is_one_run_and_no_row_comes_twice(make: Make) -> None:
    run, config = make("Kept")
    run.append_metrics(step=0, eval_loss=3.0)
    run.append_metrics(step=1, loss=2.0)
    loggers = Loggers(run, config)
    assert loggers.end(TrainResult("interrupted", str(run.path))) == []
    loggers = Loggers(run, config)
    until(lambda: len(kept(run)) > 4)
    run.cut_back(1, 0)
    run.append_metrics(step=1, loss=2.0)
    run.append_metrics(step=1, eval_loss=2.5)
    run.append_metrics(step=2, loss=1.0)
    assert loggers.end(completed(run)) == []
    assert kept(run) == [
        "begin None sweep/run None", "0 True", "1 False", "end interrupted",
        "begin one sweep/run None", "1 True", "2 False", "end completed",
    ]  # fmt: skip


def test_what_cannot_be_reached_gets_everything_when_it_is_back(make: Make) -> None:
    run, config = make("Away")
    (run.path / "away").touch()
    loggers = Loggers(run, config)
    run.append_metrics(step=1, loss=2.0)
    state = run.loggers / "odd.json"
    until(lambda: state.exists() and json.loads(state.read_text())["error"] == "ConnectionError: no route")
    run.append_metrics(step=2, loss=2.0)
    (run.path / "away").unlink()
    assert loggers.end(completed(run)) == []
    assert kept(run) == ["begin None sweep/run None", "1 False", "2 False", "end completed"]


def test_what_is_away_to_the_end_is_a_warning(make: Make) -> None:
    run, config = make("Away")
    (run.path / "away").touch()
    run.append_metrics(step=7, loss=2.0)
    told = Loggers(run, config).end(completed(run))
    assert told == ["logger odd: ConnectionError: no route; it has what was measured up to step 0"]


def test_what_does_not_come_back_is_left(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(beside._PATIENCE_S, "completed", 0.5)
    run, config = make("Hanging")
    run.append_metrics(step=7, loss=2.0)
    loggers = Loggers(run, config)
    until((run.path / "kept").exists)
    assert loggers.end(completed(run)) == ["logger odd: no answer; it has what was measured up to step 0"]


def test_a_run_of_a_sweep_is_in_its_group(make: Make) -> None:
    run, config = make("Kept")
    SweepDir(run.path.parent).write([])
    assert Loggers(run, config).end(completed(run)) == []
    assert kept(run)[0] == "begin None sweep/run sweep"


def test_a_worker_that_dies_ends_the_run_there_as_failed(make: Make) -> None:
    run, config = make("Kept")
    process = Loggers(run, config)._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0
    assert kept(run)[-1] == "end failed"


def test_without_further_loggers_there_is_no_process(tmp_path: Path) -> None:
    loggers = Loggers(RunDir(tmp_path), {"logger": {"jsonl": {"worker": None}}})
    assert loggers.end(TrainResult("completed", str(tmp_path))) == []
    assert loggers._process is None
