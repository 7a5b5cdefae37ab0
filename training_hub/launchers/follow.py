"""Follow a job to its end from where it was submitted: its scheduler and the run directory are only read."""

from __future__ import annotations

import time
from collections.abc import Callable

from training_hub.errors import EXIT_CTRL_C, EXIT_INTERRUPTED
from training_hub.jobs import Job, Scheduler, SchedulerError
from training_hub.run import RunDir, TrainResult
from training_hub.terminal import say

_TICK_S = 0.2
_ASK_EVERY_S = 1.0
_ASK_AT_LEAST_EVERY_S = 15.0
_LATE_FILES_S = 10.0
_NEVER_BEGAN = "it ended before it wrote anything to the run directory; can the nodes see that?"


def follow(scheduler: type[Scheduler], run: RunDir, job: str, each_tick: Callable[[], None]) -> int:
    """Wait for the end of a job; returns an exit status. Ctrl-C once lets the run save and stop; twice cancels it."""
    watch, asked = Watch(scheduler, run, job), False
    while True:
        try:
            while not watch.is_over():
                time.sleep(_TICK_S)
                each_tick()
            each_tick()
            return _outcome(scheduler, run, job, watch.last)
        except KeyboardInterrupt:
            if asked:
                scheduler.cancel([job])
                return EXIT_CTRL_C
            asked = True
            stop(scheduler, run, job, watch.last)


def stop(scheduler: type[Scheduler], run: RunDir, job: str, seen: Job | None) -> None:
    """Ask a run to save and stop; a job that is still pending has nothing to save."""
    if seen is None or seen.phase == "pending":
        scheduler.cancel([job])
        say(f"\njob {job} had not begun; cancelled")
    else:
        run.request_stop()
        say(f"\nstopping job {job} after this step; Ctrl-C again to cancel it at once")


class Watch:
    """Asks for a job, less often the longer it takes, and says what has changed."""

    def __init__(self, scheduler: type[Scheduler], run: RunDir, job: str) -> None:
        self.last: Job | None = None
        self._scheduler, self._run, self._job, self._said, self._ends = scheduler, run, job, "", 0
        self._began = self._asked = time.monotonic()

    def is_over(self) -> bool:
        """Whether the job has ended. Seen twice: one that is queued again passes through states of the end."""
        now = time.monotonic()
        pause = min(_ASK_AT_LEAST_EVERY_S, max(_ASK_EVERY_S, (now - self._began) / 60))
        if self._asked > self._began and now - self._asked < (_ASK_EVERY_S if self._ends else pause):
            return False
        self._asked = now
        try:
            self._see(self._scheduler.jobs([self._job]).get(self._job))
        except SchedulerError as error:  # it may be down for a while; the job continues
            self._say(f"no answer ({error})")
        return self._ends > 1

    def _see(self, job: Job | None) -> None:
        self._ends = self._ends + 1 if job is None or job.has_ended else 0
        if job is not None:
            self.last = job
            self._say("interrupted" if self._was_stopped(job) else str(job))

    def _was_stopped(self, job: Job) -> bool:
        """Whether a job ended as it was asked to, for which a scheduler may have no other word than for a failure."""
        result = self._run.read_result() if job.phase == "ended" else None
        return result is not None and result.status == "interrupted"

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            say(f"job {self._job}: {text}")


def _outcome(scheduler: type[Scheduler], run: RunDir, job: str, last: Job | None) -> int:
    result = _late_result(run) or _missing(scheduler, run, job, last)
    cancelled = last is not None and last.phase == "cancelled" and result.checkpoint_path is None
    return {"completed": 0, "interrupted": EXIT_CTRL_C if cancelled else EXIT_INTERRUPTED}.get(result.status, 1)


def _late_result(run: RunDir) -> TrainResult | None:
    """The result; on a network file system it may appear some seconds after it was written."""
    deadline = time.monotonic() + _LATE_FILES_S
    while (result := run.read_result()) is None and run.read_manifest().get("status") == "running":
        if time.monotonic() > deadline:
            break
        time.sleep(_TICK_S)
    return result


def _missing(scheduler: type[Scheduler], run: RunDir, job: str, last: Job | None) -> TrainResult:
    """The result in place of one that no worker wrote."""
    state = str(last) if last else f"{scheduler.name} knows it no longer"
    if last and last.phase == "cancelled":
        result = TrainResult("interrupted", str(run.path), error=f"job {job}: cancelled")
    else:
        began = run.read_manifest().get("status") != "pending"
        reason = state if began else f"{state}: {_NEVER_BEGAN}"
        result = TrainResult("failed", str(run.path), error=f"job {job}: {reason}")
    run.update_manifest(status=result.status)
    run.write_result(result)
    return result
