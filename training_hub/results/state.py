"""How a run stands, told from its directory: never from what a file claims about a process that may be gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_hub.machine import cluster
from training_hub.run import METRICS_ROW, RunDir, TrainResult, filled
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
    """How several runs stand; SLURM is asked once for all."""
    ids = [job for job in map(_job_that_may_go_on, runs) if job is not None]
    try:
        jobs: Mapping[str, cluster.Job] | str = cluster.jobs(ids)
    except cluster.ClusterError as error:
        jobs = str(error)
    return [_state_or_damage(run, jobs) for run in runs]


def state(run: RunDir) -> State:
    """How one run stands."""
    return states([run])[0]


def _job_that_may_go_on(run: RunDir) -> str | None:
    try:
        return run.read_job() if _may_go_on(run.read_result()) else None
    except Damaged:
        return None


def _state_or_damage(run: RunDir, jobs: Mapping[str, cluster.Job] | str) -> State:
    try:
        return _state(run, jobs)
    except Damaged as error:
        return State("running" if run.is_held() else "damaged", str(error))


def _state(run: RunDir, jobs: Mapping[str, cluster.Job] | str) -> State:
    job = run.read_job()
    if job is not None and _may_go_on(run.read_result()):
        found = State("unknown", jobs) if isinstance(jobs, str) else _of_job(run, job, jobs)
        # A job that was stopped may wait for its next life, where there is a cluster; a copy elsewhere has none.
        if found.goes_on or (found.may_go_on and cluster.exists()):
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


def _of_job(run: RunDir, number: str, jobs: Mapping[str, cluster.Job]) -> State:
    job = jobs.get(number)
    if job is None:
        return State("lost", f"SLURM knows job {number} no longer, and it left no result")
    if job.is_pending:
        return State("pending", f"job {number}" + (f": {job.reason}" if job.reason else ""))
    if not job.has_ended:
        return State("stopping" if run.stop_requested() else "running", f"job {number} on {job.nodes}")
    if job.state == "CANCELLED":
        return State("cancelled", f"job {number}: cancelled")
    return State("failed", f"job {number}: {job.state.lower()}" + (f" ({job.reason})" if job.reason else ""))


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
