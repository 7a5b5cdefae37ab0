"""One machine of a job: `python -m training_hub.launchers.slurm.node RUN_DIR` runs the worker's commands there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from training_hub.errors import EXIT_INTERRUPTED
from training_hub.launchers.process import environment as environment_of
from training_hub.launchers.slurm.batch import ASKED_BY
from training_hub.launchers.slurm.rendezvous import FIRST_NODE, NODE_RANK, PORT
from training_hub.machine.processes import end_with, how_it_ended
from training_hub.results.torchrun_log import blame_killed
from training_hub.run import RunDir, RunSpec, TrainResult

_TICK_S = 0.2
_TORCHRUN = ["-m", "torch.distributed.run"]


def main(run_dir: str) -> int:
    """The exit status of the first command that failed; 0 where one was stopped, since the others may still save."""
    run, heard = RunDir(run_dir), []
    # SLURM signals every process of a job. What is to be done about it is the workers' business, and `batch`'s.
    signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
    spec = run.read_spec()
    place = rendezvous() if int(os.environ["SLURM_JOB_NUM_NODES"]) > 1 else {}
    for command in spec.commands:
        begin = run.log_size()
        process = subprocess.Popen(
            filled_in(command, place), env=environment(spec, command),
            preexec_fn=partial(_prepare, os.getpid()),  # noqa: PLW1509  a few system calls, which take no lock
        )  # fmt: skip
        status = _wait(process, run, heard)
        if status and status != EXIT_INTERRUPTED:
            blame_killed(run, begin)
            _leave_word(run, status)
            return status if status > 0 else 128 - status
        if status:
            break
    return 0


def _prepare(node: int) -> None:
    """Torchrun would end its workers; these set their own handlers, and what is ignored stays so in a new program.

    But nothing trains on where `node` was killed: to SLURM that machine has failed.
    """
    end_with(node, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _wait(process: subprocess.Popen[bytes], run: RunDir, heard: Sequence[bool]) -> int:
    """The exit status. Where another machine has failed, this one need not be waited for; SLURM ends what is left."""
    while process.poll() is None:
        time.sleep(_TICK_S)
        if heard and not run.stop_requested():
            run.request_stop(ASKED_BY)
        if heard and (result := run.read_result()) and result.status == "failed":
            process.kill()
    return process.wait()


def _leave_word(run: RunDir, status: int) -> None:
    """Tell the other machines, where no worker has."""
    if run.read_result() is None:
        error = f"{how_it_ended(status)} on {os.environ['SLURMD_NODENAME']}"
        run.write_result(TrainResult("failed", str(run.path), error=error))


def rendezvous() -> dict[str, str]:
    """What only this machine of the job knows: its number, where the first one is, and a port that is this job's."""
    nodes = os.environ["SLURM_JOB_NODELIST"]
    first = _ask("scontrol", "show", "hostnames", nodes).split()[0]
    try:
        socket.getaddrinfo(first, None)
    except OSError:  # a node's name need not be its machine's
        shown = _ask("scontrol", "-o", "show", "node", first)
        first = dict(word.partition("=")[::2] for word in shown.split())["NodeAddr"]
    port = 10000 + int(os.environ["SLURM_JOB_ID"]) % 20000  # below those that the kernel gives to anyone
    return {NODE_RANK: os.environ["SLURM_NODEID"], FIRST_NODE: first, PORT: str(port)}


def filled_in(command: Sequence[str], place: Mapping[str, str]) -> list[str]:
    """A command with the rendezvous; only where an option's whole value stands for it."""
    words = []
    for word in command:
        option, equals, value = word.partition("=")
        words.append(f"{option}={place[value]}" if equals and value in place else word)
    return words


def environment(spec: RunSpec, command: Sequence[str]) -> dict[str, str]:
    """The job's environment with the run's variables; threads: the machine's cores, shared among its processes."""
    cores = int(os.environ.get("SLURM_CPUS_ON_NODE", "1"))
    threads = max(1, cores // int(spec.settings["nproc_per_node"]))
    found = environment_of(spec, {"OMP_NUM_THREADS": str(threads)})
    if list(command[1:3]) == _TORCHRUN:
        # SLURM signals the workers itself. A second signal from torchrun would end them before they have saved.
        found["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGHUP,SIGQUIT"
    return found


def _ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
