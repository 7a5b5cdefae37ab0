"""A run as its job runs it: `python -m training_hub.launchers.job RUN_DIR JOB`, under the worker's interpreter.

A scheduler that starts this on the machine that trains, with JOB as its id, needs nothing else: the commands run to
their end, a signal asks the run to save and stop, and there is a result in any case. The exit status is the job's: 0,
1 where the run failed, 75 where it was stopped and can be resumed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, ClassVar

from training_hub.errors import EXIT_INTERRUPTED
from training_hub.launchers.process import started
from training_hub.machine.processes import how_it_ended
from training_hub.results.torchrun_log import blame_killed
from training_hub.run import RunDir, TrainResult

_TICK_S = 0.2


def main(run_dir: str, job: str) -> int:
    """Run one job to its end."""
    return RunningJob(log_to(RunDir(run_dir)), job).run_to_end()


def log_to(run: RunDir) -> RunDir:
    """The run, in whose log this process writes from now on."""
    with run.log.open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    return run


class RunningJob:
    """From the start of a job to its end; one that is queued again begins anew, with another object.

    SIGTERM and SIGUSR2 ask the run to save and stop, SIGINT ends it at once. asked_by: in whose name it is asked.
    restarts: how often it was queued again.
    """

    asked_by: ClassVar[str] = "its scheduler"

    def __init__(self, run: RunDir, job: str, restarts: int = 0) -> None:
        self.run, self.job, self.restarts = run, job, restarts
        self.spec = run.read_spec()
        self.asked: signal.Signals | None = None
        self._at_once = False

    def run_to_end(self) -> int:
        """The exit status of the job."""
        for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT):
            signal.signal(number, self._ask)
        self._begin()
        if reason := self.refusal():
            return self._end(reason, "interrupted")
        status = self._follow()
        result = self.run.read_result()
        if (result is None or result.status == "interrupted") and self.was_asked() and not self._at_once:
            self.queue_again()
        return self._end("cancelled" if self._at_once else how_it_ended(status), "failed")

    def refusal(self) -> str:
        """Why it does not begin after all; "" where it does."""
        return ""

    def facts(self) -> dict[str, Any]:
        """What the manifest tells of the job."""
        return {}

    @contextmanager
    def process(self, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A command, running while the block lasts."""
        with started(command, self.spec, self.run, signal.SIGKILL) as process:
            yield process

    def commands(self) -> Sequence[Sequence[str]]:
        """What the job runs, one after the other until one fails."""
        return self.spec.commands

    def queue_again(self) -> None:
        """Have the job started again later, for a run that was asked to stop; returns where it ends now."""

    def was_asked(self) -> bool:
        """Whether its scheduler wants the run to stop."""
        return self.asked is not None or self.run.stop_requested(self.asked_by)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = self.asked or signal.Signals(number)
        self._at_once = self._at_once or number == signal.SIGINT

    def _begin(self) -> None:
        """Clear what the job left when it was started before; say that the run has begun."""
        self.run.write_job(self.job, self.spec.launcher)  # whoever submitted it may have died before it could
        self.run.result.unlink(missing_ok=True)
        self.run.withdraw_stop(self.asked_by)
        if self.restarts and not self.spec.resumable:
            self.run.metrics.unlink(missing_ok=True)
        facts = self.facts()
        self.run.update_manifest(status="running", job=self.job, restarts=self.restarts, **facts)
        where = "".join(f" on {each}" for each in facts.values())
        say(f"job {self.job}{where}" + (f", queued again {self.restarts} times" if self.restarts else ""))

    def _follow(self) -> int:
        status = 0
        for command in self.commands():
            begin = self.run.log_size()
            with self.process(command) as process:
                status = self._wait(process)
            if status:
                blame_killed(self.run, begin)
                break
        return status

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        told = False
        while process.poll() is None and not self._at_once:
            time.sleep(_TICK_S)
            if self.asked and not told:
                told = True
                say(f"{self.asked.name}: the run is asked to save and stop")
                self.run.request_stop(self.asked_by)
        return -signal.SIGKILL if process.returncode is None else process.returncode

    def _end(self, reason: str, status: str) -> int:
        """reason, status: of the result where no worker wrote one."""
        result = self.run.read_result()
        if result is None:
            status = "interrupted" if self.was_asked() else status
            result = TrainResult(status, str(self.run.path), error=f"job {self.job}: {reason}")
            self.run.write_result(result)
        with suppress(OSError):
            self.run.update_manifest(status=result.status)
        return {"completed": 0, "interrupted": EXIT_INTERRUPTED}.get(result.status, 1)


def say(text: str) -> None:
    """A line in the run's log."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
