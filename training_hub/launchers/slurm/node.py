"""One machine of a job: `python -m training_hub.launchers.slurm.node RUN_DIR` runs the worker's commands there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

from training_hub.launchers.slurm.rendezvous import FIRST_NODE, NODE_RANK, PORT
from training_hub.run import RunDir, RunSpec

EXIT_INTERRUPTED = 75
_TORCHRUN = ["-m", "torch.distributed.run"]


def main(run_dir: str) -> int:
    """The exit status of the first command that failed; 0 where one was stopped, since the others may still save."""
    # SLURM signals every process of a job. What is to be done about it is the workers' business, and `batch`'s.
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    spec = RunDir(run_dir).read_spec()
    place = rendezvous() if int(os.environ["SLURM_JOB_NUM_NODES"]) > 1 else {}
    for command in spec.commands:
        status = subprocess.run(filled_in(command, place), check=False, env=environment(spec, command)).returncode
        if status:
            return 0 if status == EXIT_INTERRUPTED else status if status > 0 else 128 - status
    return 0


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
    found = {"OMP_NUM_THREADS": str(threads)} | os.environ | spec.env
    if list(command[1:3]) == _TORCHRUN:
        # SLURM signals the workers itself. A second signal from torchrun would end them before they have saved.
        found["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGHUP,SIGQUIT"
    return {name: value for name, value in found.items() if name not in spec.dropped_env}


def _ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
