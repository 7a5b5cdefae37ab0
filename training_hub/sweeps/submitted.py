"""The runs of a sweep as jobs, submitted in one call: one array where the scheduler has arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from training_hub import train
from training_hub.errors import EXIT_CTRL_C, EXIT_INTERRUPTED
from training_hub.provenance import command_line
from training_hub.run import RunSpec
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.board import Board
from training_hub.sweeps.watch import watch
from training_hub.terminal import say

_STATUS = {"completed": 0, "pending": 0, "running": 0, "interrupted": EXIT_INTERRUPTED}  # anything else: 1


def run_submitted(
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
        launcher, wait = cast(Any, planned.launcher), planned.config["launcher"].get("wait", True)
    if specs:
        launcher.hand_over(specs, directory.submitted, at_a_time)
        say(f"submitted {len(specs)} jobs")
    stops = watch(directory, [*submitted, *going], board) if wait else 0
    status = max((_STATUS.get(row["status"], 1) for row in board.rows.values()), default=0)
    return EXIT_CTRL_C if stops > 1 else status
