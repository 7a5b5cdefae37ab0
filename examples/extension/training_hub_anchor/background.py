# training_hub_anchor/background.py
"""`launcher=background`: a run as a process of this machine that outlives the terminal; the kernel is its scheduler."""

import os
import platform
import signal
import socket
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from training_hub.jobs import Job, SchedulerError
from training_hub.launchers import torchrun
from training_hub.launchers.jobs import JobLauncher
from training_hub.launchers.local import LocalLauncher
from training_hub.params import Checked, Text, param
from training_hub.run import RunDir, RunSpec

WAITING, RUNNING = "hub-waiting", "hub-running"  # what a job calls its process
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class BackgroundParams(Checked):
    """The parameters of `launcher=background`."""

    nproc_per_node: int = param("processes on this machine", unit="processes", gt=0)
    nice: int = param("how readily it leaves the cores to others", ge=0, le=19)
    wait: bool = param("follow the job to its end; false: return as soon as it is submitted")


class BackgroundNode(BackgroundParams):
    """`launcher`: its class, its parameters, and what follows from them."""

    target: Text = Field(alias="_target_", description="the class")
    world_size: int = param("processes in all", gt=0)


class BackgroundLauncher(JobLauncher):
    """A job is a process; its id has the start time too, since numbers of processes are used again."""

    Params: ClassVar[type[BackgroundParams]] = BackgroundParams
    Node: ClassVar[type[BackgroundParams]] = BackgroundNode
    dropped_env: ClassVar[tuple[str, ...]] = torchrun.INHERITED
    name: ClassVar[str] = "background"
    job_id: ClassVar[str] = r"[\w.-]+:\d+:\d+"  # host, process, its start

    @classmethod
    def check(cls, node: Mapping[str, Any]) -> list[str]:
        """Faults beyond types and bounds: none."""
        return []

    @classmethod
    def command(
        cls, node: Mapping[str, Any], python: str, worker: Sequence[str], script: Sequence[str] = ()
    ) -> list[str]:
        """The worker, or torchrun with several."""
        return torchrun.command({**node, "nnodes": 1}, python, worker, script)

    @classmethod
    def environment(cls, node: Mapping[str, Any]) -> dict[str, str]:
        """As on this machine otherwise."""
        return LocalLauncher.environment(node)

    @classmethod
    def submit(cls, specs: Sequence[RunSpec], folder: Path, at_a_time: int | None) -> Iterator[tuple[RunSpec, str]]:
        """A process for each; where only some may run at a time, the others wait for one of so many locks."""
        module = [sys.executable, "-m", "training_hub_anchor.background_job"]
        for spec in specs:
            run = RunDir(spec.run_dir)
            run.write_spec(spec)
            command = [*module, str(run.path), str(folder.absolute()), str(at_a_time or 0)]
            output = [(os.POSIX_SPAWN_OPEN, 1, run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)]
            output += [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 1, 2)]
            # The signals are held back until the job listens to them.
            number = os.posix_spawn(
                sys.executable, command, os.environ, file_actions=output, setsid=True, setsigmask=SIGNALS
            )
            yield spec, job_id(number)

    @classmethod
    def jobs(cls, ids: Collection[str]) -> dict[str, Job]:
        """Those whose processes live."""
        found = {}
        for job in ids:
            if (host := job.partition(":")[0]) != socket.gethostname():
                raise SchedulerError(f"job {job} is on {host}; ask there")
            if name := _name(job):
                running = name == RUNNING
                reason = "" if running else "its turn comes later"
                found[job] = Job(job, "running" if running else "pending", name.removeprefix("hub-"), reason, host)
        return found

    @classmethod
    def cancel(cls, ids: Collection[str]) -> None:
        """A job ends at once on SIGINT, together with all that it has started."""
        for number in filter(None, map(process_of, ids)):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGINT)

    @classmethod
    def version(cls) -> str:
        """The kernel."""
        return f"{platform.system()} {platform.release()}"


def job_id(number: int) -> str:
    """The job of a process that lives: `HOST:PROCESS:START`."""
    return f"{socket.gethostname()}:{number}:{_stat(number)[19]}"


def process_of(job: str) -> int | None:
    """The number of the process of a job; None where it has ended."""
    _, number, start = job.split(":")
    with suppress(OSError):
        state, *further = _stat(int(number))
        return int(number) if further[18] == start and state != "Z" else None
    return None


def _name(job: str) -> str:
    """What the process of a job calls itself; "" where it has ended."""
    with suppress(OSError):
        if number := process_of(job):
            return Path(f"/proc/{number}/comm").read_text().strip()
    return ""


def _stat(number: int) -> list[str]:
    """State, parent, ... start time: what /proc tells of a process after its name."""
    return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2].split()
