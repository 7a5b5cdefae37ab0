"""The jobs of a sweep on a cluster: one array, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from training_hub import train
from training_hub.provenance import command_line
from training_hub.run import RunSpec
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.board import Board
from training_hub.sweeps.watch import watch
from training_hub.terminal import say

_STATUS = {"completed": 0, "pending": 0, "running": 0, "interrupted": 75}  # anything else: 1
_AT_ONCE = 130


def run_array(
    directory: SweepDir,
    submitted: Sequence[Job],
    going: Sequence[Job],
    at_a_time: int | None,
    plan: Callable[[Job], train.Plan],
    board: Board,
) -> int:
    """Submit jobs and follow them, together with those that go on already, where the config says so (`wait`).

    Returns the exit status: the highest of the jobs'.
    """
    wait = True
    specs: list[RunSpec] = []
    for job in submitted:
        planned = plan(job)
        train.lay_out(planned, command_line())
        specs.append(planned.spec)
        launcher, wait = planned.launcher, planned.config["launcher"].get("wait", True)
    if specs:
        launcher.submit(specs, directory.slurm, at_a_time)
        say(f"submitted {len(specs)} jobs")
    stops = watch(directory, [*submitted, *going], board) if wait else 0
    status = max((_STATUS.get(row["status"], 1) for row in board.rows.values()), default=0)
    return _AT_ONCE if stops > 1 else status
