"""The deaths of jobs of SLURM, for kill.py: at random moments, each in a way drawn by lot."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training_hub.launchers.slurm import cluster
from training_hub.run import RunDir

ROOT = Path(__file__).resolve().parents[1]
_LONGEST_S = 300.0
_IMPORT_S = 10.0


def workers(run: RunDir) -> list[int]:
    """The processes that train, on nodes that are this machine."""
    found = subprocess.run(
        ["pgrep", "-f", f"training_hub.worker {run.path}"], capture_output=True, text=True, check=False
    )
    return [int(number) for number in found.stdout.split()]


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + _LONGEST_S
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def kill_worker(run: RunDir, _job: str) -> None:
    """As a node's kernel does that is out of memory."""
    for number in workers(run):
        os.kill(number, signal.SIGKILL)


def kill_job(_run: RunDir, job: str) -> None:
    """Every process of the job at once; scancel would let the worker save first."""
    wanted = f"SLURM_JOB_ID={job}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended in the meantime
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


def requeue(run: RunDir, job: str) -> None:
    """As a preemption: SIGTERM, SIGKILL some seconds later, and the job's next life."""
    restarts = run.read_manifest().get("restarts", 0)
    if subprocess.run(["scontrol", "requeue", job], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        until(lambda: run.read_manifest().get("restarts", 0) > restarts or cluster.jobs([job])[job].phase == "pending")


WAYS: dict[str, Callable[[RunDir, str], None]] = {
    "SLURM, worker": kill_worker, "SLURM, whole job": kill_job, "SLURM, requeued": requeue,
}  # fmt: skip


def deaths(
    place: Any, way: str, kills: int, dice: random.Random, lives: Any, steps_lost: Callable[[RunDir], int]
) -> Any:
    """So many deaths of one way; place, lives: see kill.py. The same command is typed until the run is completed."""
    run = RunDir(place.folder / place.name / way.replace(", ", "_").replace(" ", "_"))
    settings = ["launcher=slurm", "max_requeues=1000", "resume=auto", "cpus_per_node=1"]
    command = [sys.executable, "-m", "training_hub", *place.words, *settings, f"output_dir={run.path}"]
    while True:
        left = kills - lives.kills
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and left and _begins(run, process):
            wait_for_a_moment(run, process, dice, place.steps)
            job = run.read_job()
            if process.poll() is None and job and workers(run):
                WAYS[way](run, job.id)
                until(lambda: not workers(run) or way == "SLURM, requeued")
                lives.kills, left = lives.kills + 1, left - 1
                lives.lost.append(steps_lost(run))
        status = process.wait()
        if status == 2:
            raise SystemExit(f"refused: {' '.join(command)}")
        result = run.read_result()
        if result is not None and result.status == "completed":
            lives.runs += 1
            lives.torn += len(list(run.checkpoints.glob("torn-*")))
            lives.differing += status != 0 or place.differs(run)
            if lives.kills >= kills:
                return lives
            shutil.rmtree(run.path)


def _begins(run: RunDir, process: subprocess.Popen[bytes]) -> bool:
    """Wait for a worker; False where the command has ended before one was there."""
    until(lambda: process.poll() is not None or workers(run))
    return process.poll() is None


def wait_for_a_moment(run: RunDir, process: subprocess.Popen[bytes], dice: random.Random, steps: int) -> None:
    """Wait until a random step of so many is done, or some seconds of the import of libraries; at most until it ends.

    One of both by lot, for the import takes longer than all steps of a tiny model.
    """
    if dice.random() < 0.5:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0, _IMPORT_S))
    else:
        done = _steps_done(run)
        step = dice.randint(min(done + 1, steps), steps)
        until(lambda: process.poll() is not None or done < step <= _steps_done(run))


def _steps_done(run: RunDir) -> int:
    return max((int(row["step"]) for row in run.read_metrics()), default=0)
