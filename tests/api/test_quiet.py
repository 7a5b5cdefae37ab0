"""`verbose=False`: a run that prints nothing on standard output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import folder  # noqa: F401  a fixture
from training_hub import ConfigError, RunFailed, sft
from training_hub.cli import dispatch
from training_hub.terminal import quiet, say

QUICK = str(Path(__file__).parents[1] / "sweeps" / "quick")


@pytest.fixture
def given(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A run whose worker learns nothing."""
    monkeypatch.chdir(request.getfixturevalue("folder"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [QUICK, os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    worker = {"worker": "quick_worker.train"}
    return {"model_path": "model", "data_path": "rows.jsonl", "output_dir": "run", "max_steps": 2, "backend": worker}


def test_a_quiet_run_prints_nothing(given: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    result = sft(**given, lr=1e-3, verbose=False)
    assert (result.status, capfd.readouterr().out) == ("completed", "")
    assert Path("run/loss.png").is_file()
    sft(**given, lr=1e-3, verbose=False, resume="auto")  # has nothing to do, and does not say so
    assert capfd.readouterr().out == ""
    sft(**given, lr=1e-3, resume="auto")
    assert "nothing to do" in capfd.readouterr().out


def test_a_quiet_run_that_fails_raises_all_the_same(given: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunFailed, match="that is too much"):
        sft(**given, lr=3.0, verbose=False)
    assert capfd.readouterr().out == ""


def test_the_command_line_can_be_quiet_too(given: dict[str, Any]) -> None:
    words = [f"{name}={value}" for name, value in given.items() if name != "backend"]
    command = [sys.executable, "-m", "training_hub", *words, "backend.worker=quick_worker.train", "lr=1e-3"]
    for verbose in ("true", "false"):
        typed = [*command, f"verbose={verbose}", f"output_dir=run_{verbose}"]
        typed.remove("output_dir=run")
        done = subprocess.run(typed, capture_output=True, text=True, check=True)
        assert bool(done.stdout) == (verbose == "true"), done.stdout


def test_a_sweep_is_not_quiet(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="verbose=false: a sweep shows its runs and its table; drop it"):
        dispatch(["-m", "model_path=model", "data_path=rows.jsonl", "lr=1e-3,1e-4", "verbose=false"])


def test_one_quiet_thread_does_not_silence_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    from threading import Thread

    with quiet():
        say("unheard")
        other = Thread(target=lambda: say("heard"))
        other.start()
        other.join()
    say("heard again")
    assert capsys.readouterr().out == "heard\nheard again\n"
