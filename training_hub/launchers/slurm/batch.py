"""The first process of a job: `python -m training_hub.launchers.slurm.batch RUN_DIR`, with several for an array.

Starts `node` on every machine. Before the job's time is over, and when it is preempted, it asks the run to save and
stop, and has the job queued again. The exit status is the job's: 0, 1 where the run failed, 75 where it was stopped.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

from training_hub.run import RunDir, TrainResult

EXIT_INTERRUPTED = 75
_NODE = "training_hub.launchers.slurm.node"
ASKED_BY = "SLURM"
_TICK_S = 0.2
_KILLED_BY_REQUEUE_S = 60.0


def main(*run_dirs: str) -> int:
    """Run one job to its end, or to where it is queued again."""
    run = RunDir(run_dirs[int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))])
    with run.log.open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    return Life(run).live()


class Life:
    """From the start of a job to its end; a job that is queued again has another one."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._spec = run.read_spec()
        self._most = int(self._spec.settings["max_requeues"])
        self._job = os.environ["SLURM_JOB_ID"]
        array = os.environ.get("SLURM_ARRAY_JOB_ID")
        self._known_as = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else self._job
        self._restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        self._asked: signal.Signals | None = None

    def live(self) -> int:
        """The exit status of the job."""
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, self._ask)
        self._begin()
        if self._restarts > self._most:
            return self._end(f"was queued again {self._restarts} times; max_requeues={self._most}", "interrupted")
        status = self._follow()
        result = self._run.read_result()
        unfinished = result is None or result.status == "interrupted"
        may_go_on = self._spec.resumable and self._restarts < self._most
        if unfinished and self._was_asked() and may_go_on and not self._is_ending():
            self._queue_again()
        return self._end(f"the worker ended with exit status {status}", "failed")

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked = self._asked or signal.Signals(number)

    def _was_asked(self) -> bool:
        """Whether SLURM wants the run to stop. At the beginning of a grace time it tells the machines alone."""
        return self._asked is not None or self._run.stop_requested(ASKED_BY)

    def _begin(self) -> None:
        """Clear what the life before left; say that the run goes on."""
        self._run.write_job(self._known_as)  # whoever submitted it may have died before it could
        self._run.result.unlink(missing_ok=True)
        self._run.withdraw_stop(ASKED_BY)
        if self._restarts and not self._spec.resumable:
            self._run.metrics.unlink(missing_ok=True)
        nodes = os.environ["SLURM_JOB_NODELIST"]
        self._run.update_manifest(status="running", job=self._job, nodes=nodes, restarts=self._restarts)
        say(f"job {self._job} on {nodes}" + (f", queued again {self._restarts} times" if self._restarts else ""))

    def _follow(self) -> int:
        step = subprocess.Popen(self._srun())
        told = False
        while step.poll() is None:
            time.sleep(_TICK_S)
            if self._asked and not told:
                told = True
                say(f"{self._asked.name}: the run is asked to save and stop")
                self._run.request_stop(ASKED_BY)
        return step.returncode

    def _srun(self) -> list[str]:
        """One `node` on each machine; one that fails ends the others."""
        machines = os.environ["SLURM_JOB_NUM_NODES"]
        command = ["srun", f"--nodes={machines}", f"--ntasks={machines}", "--ntasks-per-node=1", "--mpi=none"]
        command += ["--kill-on-bad-exit=1"]
        if cores := os.environ.get("SLURM_CPUS_PER_TASK"):  # which srun does not inherit since SLURM 22.05
            command += [f"--cpus-per-task={cores}"]
        return [*command, *self._spec.settings["srun"], sys.executable, "-m", _NODE, str(self._run.path)]

    def _is_ending(self) -> bool:
        """Whether SLURM has begun to end the job: one that was cancelled, or that it queues again by itself."""
        command = ["scontrol", "-o", "show", "job", self._job]
        shown = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        return re.search(r"\bJobState=RUNNING\b", shown) is None

    def _queue_again(self) -> None:
        """Give the job back to SLURM, which ends it here and starts it anew; returns where SLURM refuses."""
        result = self._run.read_result()
        self._run.result.unlink(missing_ok=True)
        self._run.withdraw_stop(ASKED_BY)
        self._run.update_manifest(status="pending")
        say(f"queued again, the {self._restarts + 1}. of at most {self._most} times")
        done = subprocess.run(["scontrol", "requeue", self._job], check=False)
        if done.returncode == 0:
            time.sleep(_KILLED_BY_REQUEUE_S)
        elif result is not None:
            self._run.write_result(result)

    def _end(self, reason: str, status: str) -> int:
        """reason, status: of the result where no worker wrote one."""
        result = self._run.read_result()
        if result is None:
            if self._was_asked():
                status = "interrupted"
            result = TrainResult(status, str(self._run.path), error=f"job {self._job}: {reason}")
            self._run.write_result(result)
        with suppress(OSError):
            self._run.update_manifest(status=result.status)
        return {"completed": 0, "interrupted": EXIT_INTERRUPTED}.get(result.status, 1)


def say(text: str) -> None:
    """A line in the run's log."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
