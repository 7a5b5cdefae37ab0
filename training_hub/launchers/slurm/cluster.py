"""What SLURM says of its partitions and jobs, by its own commands; job accounting is asked only where there is any."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training_hub.jobs import Job, NoScheduler, SchedulerError

_TIMEOUT_S = 60
_GPUS = re.compile(r"gpu(?::[^:,()]+)?:(\d+)")
_PENDING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING"}


@dataclass(frozen=True)
class Partition:
    """A partition: its number of nodes, and the most that one of them has. memory_gb in units of 10**9 bytes."""

    name: str
    nodes: int
    gpus: int
    cores: int
    memory_gb: float
    is_default: bool


def partitions() -> list[Partition]:
    """The partitions, each once. A cluster may have nodes of several kinds in one: the largest numbers count."""
    found: dict[str, Partition] = {}
    for line in ask("sinfo", "-h", "-o", "%P|%D|%c|%m|%G").splitlines():
        name, nodes, cores, memory, gres = line.split("|")
        kind = Partition(
            name.rstrip("*"), int(nodes), sum(map(int, _GPUS.findall(gres))), _least(cores), _least(memory) / 1e3,
            name.endswith("*"),
        )  # fmt: skip
        found[kind.name] = _merged(found[kind.name], kind) if kind.name in found else kind
    return list(found.values())


def _merged(one: Partition, other: Partition) -> Partition:
    most = {name: max(getattr(one, name), getattr(other, name)) for name in ("gpus", "cores", "memory_gb")}
    return Partition(one.name, one.nodes + other.nodes, is_default=one.is_default, **most)


def _least(number: str) -> int:
    """`4`, or `4+` for nodes that differ."""
    return int(number.rstrip("+"))


def must_exist() -> None:
    """NoScheduler where this machine lacks SLURM's commands."""
    if shutil.which("sbatch") is None:
        raise NoScheduler("no sbatch on this machine")


def is_this_machine() -> bool:
    """Whether every node is this machine, as on a workstation with SLURM."""
    addresses = set(ask("sinfo", "-h", "-N", "-o", "%o").split())
    return all(map(is_ours, addresses))


def is_ours(address: str) -> bool:
    """Whether an address is one of this machine: only those can be bound."""
    try:
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def job(number: str, state: str, nodes: str, reason: str = "") -> Job:
    """A job by SLURM's words: `12` or `12_3` for one of an array, PENDING, `node[1-2]`, Resources."""
    phase: Literal["pending", "running", "cancelled", "ended"] = "cancelled" if state == "CANCELLED" else "ended"
    if state in _PENDING | _RUNNING:
        phase = "pending" if state in _PENDING else "running"
    return Job(number, phase, state.lower().replace("_", " "), "" if reason == "None" else reason, nodes)


def jobs(ids: Collection[str]) -> dict[str, Job]:
    """Jobs by id; those that SLURM has forgotten are left out."""
    found = {job.id: job for job in _queue(ids)}
    forgotten = [each for each in ids if each not in found]
    return {each: found[each] for each in ids if each in found} | {job.id: job for job in _accounts(forgotten)}


def _queue(ids: Iterable[str]) -> Iterator[Job]:
    whole = ",".join(sorted({each.partition("_")[0] for each in ids}))
    try:
        lines = ask("squeue", "-h", "-r", "-t", "all", "-j", whole, "-o", "%i|%T|%N|%r").splitlines()
    except SchedulerError as error:
        if "Invalid job id" in str(error):
            return
        raise
    for line in lines:
        number, state, nodes, reason = line.split("|", 3)
        yield job(number, state, nodes, reason)


def _accounts(ids: Collection[str]) -> Iterator[Job]:
    """From the accounting, where the cluster keeps one."""
    if not ids or not shutil.which("sacct"):
        return
    try:
        lines = ask("sacct", "-n", "-X", "-P", "-j", ",".join(ids), "-o", "JobID,State,NodeList").splitlines()
    except SchedulerError:
        return
    for line in lines:
        number, state, nodes = line.split("|", 2)
        yield job(number, state.split()[0], nodes)


def cancel(ids: Collection[str]) -> None:
    """End jobs: SLURM terminates their processes, and kills them some seconds later."""
    ask("scancel", *ids)


def ask(*command: str) -> str:
    """What a command of SLURM's prints. SchedulerError with its complaint in one line where it fails."""
    settings = os.environ.get("SLURM_CONF")
    if settings and not Path(settings).is_file():  # for which SLURM's own commands would look for a minute
        raise SchedulerError(f"SLURM_CONF={settings}: no such file")
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except FileNotFoundError:
        raise NoScheduler(f"no {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise SchedulerError(f"{command[0]}: no answer in {_TIMEOUT_S} seconds") from None
    except OSError as error:
        raise SchedulerError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise SchedulerError(complaint(done.stderr) or f"{command[0]}: exit status {done.returncode}")
    return done.stdout


def complaint(text: str) -> str:
    """What a command of SLURM's complains of, in one line: its last words where it gave up, else all of them."""
    lines = [re.sub(r"^\w+: (error: )?", "", line).strip().rstrip(".") for line in text.strip().splitlines()]
    last = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    return "; ".join(dict.fromkeys(filter(None, last or lines)))
