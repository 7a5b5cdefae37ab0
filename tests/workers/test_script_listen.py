"""Callbacks beside a library's script hear what it measured, and control nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from training_hub.errors import ConfigError, RunFailed
from training_hub.run import RunDir
from training_hub.workers.script.listen import Listeners


def listeners(tmp_path: Path, **node: object) -> Listeners:
    return Listeners(RunDir(tmp_path), {"callbacks": {"mine": node}})


def test_each_row_is_told(tmp_path: Path) -> None:
    told = listeners(tmp_path, _target_="tests.workers.called.Hearing", file=str(tmp_path / "heard"))
    told.begin(0, 2)
    told.row({"step": 1, "epoch": 0.5, "loss": 2.0, "lr": 0.1, "grad_norm": None})
    told.row({"step": 1, "epoch": 0.5, "eval_loss": 3.0})
    told.end()
    assert (tmp_path / "heard").read_text().splitlines() == [
        "on_train_begin 0/2 None None",
        "on_step_end 1/2 2.0 0.1",
        "on_log 1/2 2.0 0.1",
        "on_log 1/2 2.0 0.1",
        "on_evaluate 1/2 2.0 0.1",
        "on_train_end 1/2 2.0 0.1",
    ]


def test_what_is_logged_is_written_once_for_all(tmp_path: Path) -> None:
    told = listeners(tmp_path, _target_="tests.workers.called.Swinging")
    written: list[dict[str, float]] = []
    told.write = written.append
    told.row({"step": 1, "epoch": 0.5, "loss": 2.0})
    told.row({"step": 1, "epoch": 0.5, "eval_loss": 3.0})
    told.row({"step": 3, "epoch": 1.5, "loss": 2.0})
    assert written == [{"my/score": 0.3}, {"my/score": 0.5}]


def test_a_hook_that_is_never_called_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^callbacks.mine._target_=Recorder: its on_epoch_begin would never be"):
        listeners(tmp_path, _target_="tests.workers.called.Recorder", file="heard")


def test_there_is_nothing_to_control(tmp_path: Path) -> None:
    told = listeners(tmp_path, _target_="tests.workers.called.Stopping")
    with pytest.raises(RunFailed, match=r"^callbacks.mine: on_log: AttributeError: 'NoneType'"):
        told.row({"step": 1, "loss": 2.0})
