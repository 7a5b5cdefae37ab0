# training_hub_anchor/background_job.py
"""The process that a background job is: `python -m training_hub_anchor.background_job RUN_DIR FOLDER AT_A_TIME`."""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training_hub.errors import EXIT_INTERRUPTED
from training_hub.launchers.job import RunningJob, log_to
from training_hub.run import RunDir, TrainResult
from training_hub_anchor.background import RUNNING, SIGNALS, WAITING, job_id


def main(run_dir: str, folder: str, at_a_time: str) -> int:
    """Wait for its turn, then run; a job that is cancelled before has a result as well."""
    run, job = log_to(RunDir(run_dir)), job_id(os.getpid())
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with turn(Path(folder), int(at_a_time)):
            running = RunningJob(run, job)
            os.nice(int(running.spec.settings["nice"]))
            return running.run_to_end()
    except KeyboardInterrupt:
        run.update_manifest(status="interrupted")
        run.write_result(TrainResult("interrupted", str(run.path), error=f"job {job}: cancelled"))
        return EXIT_INTERRUPTED


@contextmanager
def turn(folder: Path, places: int) -> Iterator[None]:
    """Hold one of so many places while the block lasts; 0: there is always one."""
    called(WAITING)
    files = [(folder / f"place-{number}").open("a") for number in range(places)]
    while files and not any(map(taken, files)):
        time.sleep(0.2)
    called(RUNNING)
    yield
    for file in files:
        file.close()


def taken(file: object) -> bool:
    """Whether nobody else holds this lock, which is held from now on."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def called(name: str) -> None:
    """Give this process a name, by which its state is told."""
    Path("/proc/self/comm").write_text(name)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
