"""How a run on this machine is ended, with a shell script that does not listen in place of the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from training_hub.machine.processes import MARK, kill_marked, marked
from training_hub.run import RunDir

QUICK = Path(__file__).parents[1] / "sweeps" / "quick"
# Processes in sessions of their own, as torchrun's are; many, so that ending them takes a while.
DEAF = "trap '' TERM INT; for i in $(seq 30); do setsid sleep 60 & done; echo $TRAINING_HUB_PROCESSES > mark; sleep 60"
FRONT = """
import signal, sys
from training_hub.launchers.local import LocalLauncher
from training_hub.run import RunDir, RunSpec
signal.signal(signal.SIGTERM, signal.SIG_IGN)
run = RunDir(sys.argv[1])
status = LocalLauncher.launch(RunSpec(str(run.path), (("sh", "-c", sys.argv[2]),), {}, settings={}), run, lambda: None)
print(status, flush=True)
"""


def test_a_shower_of_signals_ends_everything(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    words = [sys.executable, "-c", FRONT, str(run.path), f"cd {run.path}; {DEAF}"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    mark = run.path / "mark"
    while not mark.exists() or not mark.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    while not run.stop_requested():
        time.sleep(0.01)
    deadline = time.monotonic() + 30
    while process.poll() is None and marked(mark.read_text().strip()) and time.monotonic() < deadline:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    shown, errors = process.communicate(timeout=30)
    assert (shown.splitlines()[-1], errors) == ("130", "")
    assert marked(mark.read_text().strip()) == []


def test_a_process_of_several_does_not_outlive_torchrun(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create({"backend": {"worker": "quick_worker.train"}, "lr": 1.0, "max_steps": 10_000}, [], {})
    rank = [sys.executable, "-m", "training_hub.worker", str(run.path)]
    torchrun = [sys.executable, "-c", f"import subprocess; subprocess.run({rank})"]
    env = {**os.environ, "PYTHONPATH": str(QUICK), "TORCHELASTIC_RUN_ID": "1", MARK: str(run.path)}
    process = subprocess.Popen(torchrun, env=env)
    wait_for(run.read_metrics)
    process.kill()
    process.wait()
    try:
        wait_for(lambda: not marked(str(run.path)))
    finally:
        kill_marked(str(run.path))


def test_a_process_whose_parent_is_dead_already_ends_itself() -> None:
    program = "from training_hub.machine.processes import end_with; end_with(1 << 30)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGTERM


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
