"""Runs that continue without this process: jobs of a scheduler, and what was found alive."""

from __future__ import annotations

import time
from collections.abc import Sequence

from training_hub import jobs as scheduled
from training_hub.machine.signals import counted_stops
from training_hub.results.state import State, states
from training_hub.run import RunDir, TrainResult
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.board import Board
from training_hub.terminal import say

_TICK_S = 0.1
_ASK_EVERY_S = 1.0
_ASK_AT_LEAST_EVERY_S = 15.0


def watch(directory: SweepDir, jobs: Sequence[Job], board: Board) -> int:
    """Wait until all have ended; returns how often somebody asked them to stop meanwhile.

    Ctrl-C once: what runs saves and stops, what waits for its turn does not start; twice: at once. The longer it
    takes, the less often a scheduler is asked.
    """
    left, began, heard = list(jobs), time.monotonic(), 0
    with counted_stops() as stops:
        while left:
            runs = [directory.run_of(job) for job in left]
            found = states(runs)
            if heard < stops.count:
                heard += 1
                stop(runs, found, now=heard > 1)
            left = [job for job, each in zip(left, found, strict=True) if _still(directory, job, each, board)]
            pause = min(_ASK_AT_LEAST_EVERY_S, max(_ASK_EVERY_S, (time.monotonic() - began) / 60))
            end = time.monotonic() + (pause if left else 0)
            while time.monotonic() < end and heard == stops.count:  # a wish to stop is heard at once
                board.tick()
                time.sleep(_TICK_S)
        board.tick()
    return stops.count


def _still(directory: SweepDir, job: Job, found: State, board: Board) -> bool:
    """Whether a run goes on; the board is told what has changed."""
    if found.goes_on or found.word == "unknown":
        if found.word != "pending" and board.rows[job.digest]["status"] in ("pending", "created"):
            board.started(job)
        return True
    run = directory.run_of(job)
    if run.read_result() is None:
        status = "interrupted" if found.word == "cancelled" else "failed"
        run.update_manifest(status=status)
        run.write_result(TrainResult(status, str(run.path), error=found.reason))
    board.ended(job, None)
    return False


def stop(runs: Sequence[RunDir], found: Sequence[State], now: bool) -> None:
    """Ask runs to save and stop, and take back the jobs that have not begun. now: cancel them all."""
    pairs = [(run, each) for run, each in zip(runs, found, strict=True) if each.goes_on]
    for run, _ in pairs:
        run.request_stop()
    scheduled.cancel(run for run, each in pairs if run.read_job() and (now or each.word == "pending"))
    running = sum(each.word != "pending" for _, each in pairs)
    rest = f", {len(pairs) - running} will not start" if len(pairs) > running else ""
    say(f"\nstopping: {running} running{rest}" + ("" if now else "; Ctrl-C again to end at once"))
