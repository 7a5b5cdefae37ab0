"""Follow a job from the machine where it was submitted."""

from __future__ import annotations

import time
from collections.abc import Callable

from training_hub.machine import cluster
from training_hub.run import RunDir, TrainResult
from training_hub.terminal import say

_TICK_S = 0.2
_ASK_EVERY_S = 1.0
_ASK_AT_LEAST_EVERY_S = 15.0
_LATE_FILES_S = 10.0
_NEVER_BEGAN = "it ended before it wrote anything to the run directory; can the nodes see that?"


def follow(run: RunDir, job: str, each_tick: Callable[[], None]) -> int:
    """Wait for the end of a job; returns an exit status. Ctrl-C once lets the run save and stop; twice cancels it."""
    watch, asked = Watch(run, job), False
    while True:
        try:
            while not watch.is_over():
                time.sleep(_TICK_S)
                each_tick()
            each_tick()
            return _outcome(run, job, watch.last)
        except KeyboardInterrupt:
            if asked:
                cluster.cancel([job])
                return 130
            asked = True
            stop(run, job, watch.last)


def stop(run: RunDir, job: str, seen: cluster.Job | None) -> None:
    """Ask a run to save and stop; a job that still waits has nothing to save."""
    if seen is None or seen.is_pending:
        cluster.cancel([job])
        say(f"\njob {job} had not begun; cancelled")
    else:
        run.request_stop()
        say(f"\nstopping job {job} after this step; Ctrl-C again to cancel it at once")


class Watch:
    """Asks SLURM for a job, the more seldom the longer it takes, and says what has changed."""

    def __init__(self, run: RunDir, job: str) -> None:
        self.last: cluster.Job | None = None
        self._run, self._job, self._said, self._ends = run, job, "", 0
        self._began = self._asked = time.monotonic()

    def is_over(self) -> bool:
        """Whether the job has ended. Seen twice: one that is queued again passes through states of the end."""
        now = time.monotonic()
        pause = min(_ASK_AT_LEAST_EVERY_S, max(_ASK_EVERY_S, (now - self._began) / 60))
        if self._asked > self._began and now - self._asked < (_ASK_EVERY_S if self._ends else pause):
            return False
        self._asked = now
        try:
            self._see(cluster.jobs([self._job]).get(self._job))
        except cluster.ClusterError as error:  # SLURM may be down for a while; the job goes on
            self._say(f"no answer ({error})")
        return self._ends > 1

    def _see(self, job: cluster.Job | None) -> None:
        self._ends = self._ends + 1 if job is None or job.has_ended else 0
        if job is not None:
            self.last = job
            self._say("interrupted" if self._was_stopped(job) else describe(job))

    def _was_stopped(self, job: cluster.Job) -> bool:
        """Whether a job ended as it was asked to, for which SLURM has no other word than for a failure."""
        result = self._run.read_result() if job.state == "FAILED" else None
        return result is not None and result.status == "interrupted"

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            say(f"job {self._job}: {text}")


def describe(job: cluster.Job) -> str:
    """`running on node[1-2]`, `pending (Resources)`, `failed (NonZeroExitCode)`."""
    where = f" on {job.nodes}" if job.nodes and not job.is_pending and not job.has_ended else ""
    told = job.reason and not where and job.state != "CANCELLED"  # why it had waited does not matter any more
    return job.state.lower().replace("_", " ") + where + (f" ({job.reason})" if told else "")


def _outcome(run: RunDir, job: str, last: cluster.Job | None) -> int:
    result = _late_result(run) or _missing(run, job, last)
    cancelled = last is not None and last.state == "CANCELLED" and result.checkpoint_path is None
    return {"completed": 0, "interrupted": 130 if cancelled else 75}.get(result.status, 1)


def _late_result(run: RunDir) -> TrainResult | None:
    """The result; on a file system of the network it may appear some seconds after it was written."""
    deadline = time.monotonic() + _LATE_FILES_S
    while (result := run.read_result()) is None and run.read_manifest().get("status") == "running":
        if time.monotonic() > deadline:
            break
        time.sleep(_TICK_S)
    return result


def _missing(run: RunDir, job: str, last: cluster.Job | None) -> TrainResult:
    """The result in place of one that no worker wrote."""
    state = describe(last) if last else "SLURM knows it no longer"
    if last and last.state == "CANCELLED":
        result = TrainResult("interrupted", str(run.path), error=f"job {job}: cancelled")
    else:
        began = run.read_manifest().get("status") != "pending"
        reason = state if began else f"{state}: {_NEVER_BEGAN}"
        result = TrainResult("failed", str(run.path), error=f"job {job}: {reason}")
    run.update_manifest(status=result.status)
    run.write_result(result)
    return result
