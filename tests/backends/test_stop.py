"""Runs of a library's script that are stopped."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.backends.conftest import COMMON, environment
from training_hub.run import RunDir

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch", "mini_trainer", "instructlab")]


def start(place: Path, folder: str, *words: str) -> tuple[subprocess.Popen[str], RunDir]:
    """A long run, after its first step."""
    common = [word for word in COMMON if not word.startswith("num_epochs")]
    command = [sys.executable, "-m", "training_hub", *common, *words, "num_epochs=5000", f"output_dir={folder}"]
    process = subprocess.Popen(
        command, cwd=place, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    run, deadline = RunDir(place / folder), time.monotonic() + 120
    while not run.read_metrics():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.2)
    return process, run


def left_over(folder: str) -> list[str]:
    """Commands of processes that still work for a run."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            commands.append(file.read_text().replace("\0", " "))
    return [command for command in commands if f"{folder}/library" in command]


def test_terminating_a_run_ends_every_process_of_it(place: Path) -> None:
    process, run = start(place, "terminated", "backend=mini-trainer")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    result = run.read_result()
    assert result is not None
    assert (result.status, result.checkpoint_path) == ("interrupted", None)
    assert left_over("terminated") == []


def test_instructlab_saves_the_model_when_it_is_asked_to_stop_and_another_run_goes_on(place: Path) -> None:
    from transformers import AutoModelForCausalLM

    words = ["backend=instructlab-training", "recipe.on_demand_checkpointing=true"]
    process, run = start(place, "saved", *words)
    Path("/dev/shm/checkpoint_requested").touch()  # the libraries' default, for all runs on a machine
    try:
        steps = len(run.read_metrics())
        while len(run.read_metrics()) < steps + 3:
            assert process.poll() is None
            time.sleep(0.2)
    finally:
        Path("/dev/shm/checkpoint_requested").unlink()
    run.request_stop()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    result = run.read_result()
    assert result is not None
    assert result.status == "interrupted"
    assert result.checkpoint_path is not None
    _, report = AutoModelForCausalLM.from_pretrained(place / result.checkpoint_path, output_loading_info=True)
    assert not report["missing_keys"]
