"""How a run stands, told from its directory: never from what a file claims about a process that may be gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_hub import jobs
from training_hub.run import METRICS_ROW, JobName, RunDir, TrainResult, filled
from training_hub.stored import Damaged, rows_of

_TAIL_BYTES = 65536


@dataclass(frozen=True)
class State:
    """How a run stands.

    word: pending, running, stopping, completed, failed, interrupted, cancelled, lost (it ended without a word), damaged
    (a file that would tell cannot be read), or unknown (who could tell does not answer). reason: why, "" where the
    word says it all.
    """

    word: str
    reason: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether something of the run still works or will."""
        return self.word in ("pending", "running", "stopping")

    @property
    def may_go_on(self) -> bool:
        """The same, as far as anyone can tell."""
        return self.goes_on or self.word == "unknown"


def states(runs: Sequence[RunDir]) -> list[State]:
    """How several runs stand; each scheduler is asked once for all."""
    answers = jobs.ask(filter(_may_be_a_living_job, runs))
    return [_state_or_damage(run, answers.get(run.path)) for run in runs]


def state(run: RunDir) -> State:
    """How one run stands."""
    return states([run])[0]


def _may_be_a_living_job(run: RunDir) -> bool:
    try:
        return run.read_job() is not None and _may_go_on(run.read_result())
    except Damaged:
        return False


def _state_or_damage(run: RunDir, answer: jobs.Answer) -> State:
    try:
        return _state(run, answer)
    except Damaged as error:
        return State("running" if run.is_held() else "damaged", str(error))


def _state(run: RunDir, answer: jobs.Answer) -> State:
    name = run.read_job()
    if name is not None and _may_go_on(run.read_result()):
        found = _of_job(run, name, answer)
        # A job that was stopped may be queued again, where its scheduler is; a copy of it elsewhere may not.
        if found.goes_on or (found.may_go_on and not isinstance(answer, jobs.NoScheduler)):
            return found
    else:
        found = _of_process(run)
    # Read last: what ended while it was looked at has written it by now.
    result = run.read_result()
    return found if result is None else _of_result(result)


def _may_go_on(result: TrainResult | None) -> bool:
    """Whether a job with this result may be queued again."""
    return result is None or result.status == "interrupted"


def _of_result(result: TrainResult) -> State:
    lines = (result.error or "").splitlines()
    return State(result.status, lines[0] if lines else "")


def _of_process(run: RunDir) -> State:
    """Of a run on one machine: whose process holds the folder as long as it lives."""
    host = str((run.read_manifest().get("machine") or {}).get("host"))
    held = run.is_held()
    if held:
        return State("stopping" if run.stop_requested() else "running")
    if held is None or host != socket.gethostname():
        return State("unknown", f"it was started on {host}; ask there")
    return State("lost", "its process ended without a word")


def _of_job(run: RunDir, name: JobName, answer: jobs.Answer) -> State:
    if isinstance(answer, Damaged):
        raise answer
    if isinstance(answer, jobs.SchedulerError):
        return State("unknown", str(answer))
    if answer is None:
        scheduler = jobs.scheduler_of(run, name).name
        return State("lost", f"{scheduler} knows job {name.id} no longer, and it left no result")
    if answer.phase == "pending":
        return State("pending", f"job {name.id}" + (f": {answer.reason}" if answer.reason else ""))
    if answer.phase == "running":
        where = f" on {answer.place}" if answer.place else ""
        return State("stopping" if run.stop_requested() else "running", f"job {name.id}{where}")
    return State("cancelled" if answer.phase == "cancelled" else "failed", f"job {name.id}: {answer}")


def last_row(run: RunDir) -> dict[str, Any]:
    """The newest numbers of a run: of each metric the last one that is known; {} where it has written none.

    Rows that cannot be read are left out.
    """
    found: dict[str, Any] = {}
    for row in reversed(_last_rows(run.metrics)):
        found = row | {key: value for key, value in found.items() if value is not None}
        if found.get("loss") is not None:
            break
    return found


def _last_rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _TAIL_BYTES))
        lines = stream.read().split(b"\n")[:-1]
    return filled(rows_of(lines[1:] if size > _TAIL_BYTES else lines, METRICS_ROW, file)[0])


def runs_in(folder: Path) -> list[RunDir]:
    """The run that a folder is, or else those below it, such as the jobs of a sweep; the newest last."""
    if (run := RunDir(folder)).exists():
        return [run]
    found = [RunDir(file.parent) for file in folder.glob("**/manifest.json") if "checkpoints" not in file.parts]
    return sorted((run for run in found if run.exists()), key=lambda run: (_created(run), run.path))


def _created(run: RunDir) -> str:
    try:
        return str(run.read_manifest().get("created"))
    except Damaged:
        return ""
