"""What a cluster would refuse, or leave waiting for ever, found before anything is written."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from training_hub.errors import enumerate_names, fault, suggestion
from training_hub.installed.interpreter import missing_requirements
from training_hub.jobs import NoScheduler, SchedulerError
from training_hub.launchers.slurm import cluster
from training_hub.launchers.slurm.submit import script
from training_hub.run import RunSpec

_REQUIRES = ["submitit>=1.5.3,<2"]
# Options of sbatch that follow from a setting -> that setting; "" for those that are not the user's.
_OWN = {
    "nodes": "nodes", "gpus-per-node": "gpus_per_node", "cpus-per-task": "cpus_per_node", "mem": "memory_gb",
    "partition": "partition", "account": "account", "time": "timeout_min", "requeue": "max_requeues",
    "no-requeue": "max_requeues", "job-name": "launcher.job_name", "signal": "launcher.stop_before_s",
    "ntasks": "nproc_per_node", "ntasks-per-node": "nproc_per_node", "output": "", "error": "", "open-mode": "",
    "array": "", "wrap": "", "parsable": "", "test-only": "", "wait": "", "chdir": "",
}  # fmt: skip
_NODE_LOCAL = ("/tmp", "/var/tmp", "/dev/shm", "/run")
_IN_MEMORY = {"tmpfs", "ramfs", "overlay"}


def check(node: Mapping[str, Any]) -> list[str]:
    """Faults of a job's settings, one line each. Where a fault hides others, it comes alone."""
    try:
        cluster.must_exist()
    except NoScheduler as error:
        return [fault("launcher", "slurm", str(error), "run this where jobs can be submitted, or use launcher=local")]
    if missing := missing_requirements(_REQUIRES):
        return [fault("launcher", "slurm", f"not installed: {enumerate_names(missing)}", "pip install 'submitit<2'")]
    try:
        faults = [*_options(node["sbatch"]), *_words(node["srun"]), *_size(node, tuple(_partitions()))]
        faults += [*_time(node), *_folder(str(node["folder"])), *_lines(node)]
    except SchedulerError as error:
        return [fault("launcher", "slurm", f"SLURM does not answer: {error}", "ask its administrator")]
    return faults or _refusal(json.dumps({**node, "folder": "/"}))


@cache
def _partitions() -> list[cluster.Partition]:
    return cluster.partitions()


def _options(given: Mapping[str, Any]) -> Iterator[str]:
    known = _known_options("sbatch")
    for name, value in given.items():
        option = name.replace("_", "-")
        if option in _OWN:
            way = f"use {_OWN[option]}" if _OWN[option] else "drop it"
            yield fault(f"launcher.sbatch.{name}", value, "the launcher sets this option", way)
        elif option not in known:
            way = suggestion(option, known) or "see sbatch --help"
            yield fault(f"launcher.sbatch.{name}", value, "sbatch has no such option", way)


def _words(given: Sequence[str]) -> Iterator[str]:
    """Options of srun, by their long names."""
    for word in given:
        option = word.partition("=")[0].removeprefix("--")
        if word.startswith("--") and option not in (known := _known_options("srun")):
            way = suggestion(option, known) or "see srun --help"
            yield fault("launcher.srun", word, "srun has no such option", way)


@cache
def _known_options(program: str) -> frozenset[str]:
    return frozenset(re.findall(r"--([a-z][a-z-]+)", cluster.ask(program, "--help")))


def _time(node: Mapping[str, Any]) -> Iterator[str]:
    """A job that is asked to stop before it has begun would be queued again without a step done."""
    limit, before = node["timeout_min"], node["stop_before_s"]
    if limit and before >= 60 * limit:
        rule = f"the run is asked to stop {before} seconds before that"
        yield fault("timeout_min", limit, rule, "give more, or a smaller launcher.stop_before_s")


def _size(node: Mapping[str, Any], partitions: tuple[cluster.Partition, ...]) -> Iterator[str]:
    """Whether the partition exists and has what is asked for."""
    name = node["partition"]
    names = [each.name for each in partitions]
    if name is not None and not set(str(name).split(",")) <= set(names):
        way = suggestion(str(name), names) or f"choose from {enumerate_names(names)}"
        yield fault("partition", name, "no such partition", way)
        return
    chosen = [each for each in partitions if each.name in str(name).split(",") or (name is None and each.is_default)]
    most = {
        "nodes": (sum(each.nodes for each in chosen), "nodes"),
        "gpus_per_node": (max((each.gpus for each in chosen), default=0), "GPUs on a node"),
        "cpus_per_node": (max((each.cores for each in chosen), default=0), "cores on a node"),
        "memory_gb": (max((each.memory_gb for each in chosen), default=0), "GB on a node"),
    }
    where = f"partition {enumerate_names(each.name for each in chosen)}"
    for key, (number, what) in most.items():
        if chosen and node[key] and node[key] > number:
            yield fault(key, node[key], f"{where} has {number:g} {what}", f"at most {number:g}")


def _lines(node: Mapping[str, Any]) -> Iterator[str]:
    """Values that would end their line of the job's script, and begin one of shell."""
    for key in ("job_name", "partition", "account"):
        if set(str(node[key])) & set("\n\r"):
            yield fault(f"launcher.{key}", repr(node[key]), "a job's script takes one line for it", "drop the rest")
    for name, value in node["sbatch"].items():
        texts = value if isinstance(value, list) else [value]
        if set("".join(map(str, [name, *texts]))) & set("\n\r"):
            rule = "a job's script takes one line for it"
            yield fault(f"launcher.sbatch.{name}", repr(value), rule, "drop the rest")


def _folder(folder: str) -> Iterator[str]:
    """A run directory that only this machine sees, or whose name sbatch cannot take."""
    if strange := re.search(r"[\\\n\r]", folder):
        yield fault("output_dir", repr(folder), f"sbatch takes no {strange[0]!r} in a path", "choose another")
    elif is_node_local(folder) and not _is_this_machine():
        yield fault(
            "output_dir", folder, "only this machine has that file system", "choose a folder that the nodes see"
        )


@cache
def _is_this_machine() -> bool:
    return cluster.is_this_machine()


def is_node_local(folder: str) -> bool:
    """Whether a folder is, or would be, on a file system that other machines do not see."""
    path = Path(folder).expanduser().absolute()
    if any(path.is_relative_to(each) for each in _NODE_LOCAL):
        return True
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    _, kind = max((each for each in mounts if path.is_relative_to(each[0])), key=lambda each: len(each[0]))
    return kind in _IN_MEMORY


@cache
def _refusal(settings: str) -> list[str]:
    """What sbatch itself says, without submitting anything; settings: the launcher's, as JSON."""
    text = script([RunSpec("/", (("true",),), {}, settings=json.loads(settings))], Path("/"))
    done = subprocess.run(["sbatch", "--test-only"], input=text, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    return [fault("launcher", "slurm", f"sbatch refuses: {cluster.complaint(done.stderr)}", "see launcher.sbatch")]
