"""The first process of a job: `python -m training_hub.launchers.slurm.batch RUN_DIR`, with several for an array.

Starts `node` on every machine. Before the job's time is over, and when it is preempted, it asks the run to save and
stop, and has the job queued again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from training_hub.launchers.job import RunningJob, log_to, say
from training_hub.run import RunDir

_NODE = "training_hub.launchers.slurm.node"
ASKED_BY = "SLURM"
_KILLED_BY_REQUEUE_S = 60.0


def main(*run_dirs: str) -> int:
    """Run one job to its end, or to where it is queued again."""
    run = RunDir(run_dirs[int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))])
    return SlurmJob(log_to(run)).run_to_end()


class SlurmJob(RunningJob):
    """A job as its first machine runs it."""

    asked_by: ClassVar[str] = ASKED_BY

    def __init__(self, run: RunDir) -> None:
        self._number = os.environ["SLURM_JOB_ID"]
        array = os.environ.get("SLURM_ARRAY_JOB_ID")
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else self._number
        super().__init__(run, job, int(os.environ.get("SLURM_RESTART_COUNT", "0")))
        self._most = int(self.spec.settings["max_requeues"])

    def refusal(self) -> str:
        """It may not be queued again without end."""
        too_often = f"was queued again {self.restarts} times; max_requeues={self._most}"
        return too_often if self.restarts > self._most else ""

    def facts(self) -> dict[str, Any]:
        """The machines."""
        return {"nodes": os.environ["SLURM_JOB_NODELIST"]}

    def commands(self) -> Sequence[Sequence[str]]:
        """One `node` on each machine; one that fails ends the others."""
        machines = os.environ["SLURM_JOB_NUM_NODES"]
        command = ["srun", f"--nodes={machines}", f"--ntasks={machines}", "--ntasks-per-node=1", "--mpi=none"]
        command += ["--kill-on-bad-exit=1"]
        if cores := os.environ.get("SLURM_CPUS_PER_TASK"):  # which srun does not inherit since SLURM 22.05
            command += [f"--cpus-per-task={cores}"]
        return [[*command, *self.spec.settings["srun"], sys.executable, "-m", _NODE, str(self.run.path)]]

    @contextmanager
    def process(self, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        """SLURM itself ends what srun has started."""
        yield subprocess.Popen(command)

    def queue_again(self) -> None:
        """Give the job back to SLURM, which ends it here and starts it anew; returns where that may not be."""
        if not self.spec.resumable or self.restarts >= self._most or self._is_ending():
            return
        result = self.run.read_result()
        self.run.result.unlink(missing_ok=True)
        self.run.withdraw_stop(ASKED_BY)
        self.run.update_manifest(status="pending")
        say(f"queued again, the {self.restarts + 1}. of at most {self._most} times")
        done = subprocess.run(["scontrol", "requeue", self._number], check=False)
        if done.returncode == 0:
            time.sleep(_KILLED_BY_REQUEUE_S)
        elif result is not None:
            self.run.write_result(result)

    def _is_ending(self) -> bool:
        """Whether SLURM has begun to end the job: one that was cancelled, or that it queues again by itself."""
        command = ["scontrol", "-o", "show", "job", self._number]
        shown = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        return re.search(r"\bJobState=RUNNING\b", shown) is None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
