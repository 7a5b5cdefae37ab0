"""Runs as jobs: submitit writes the script of sbatch. No function is pickled: the job runs a command."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.jobs import SchedulerError
from training_hub.launchers.slurm import cluster
from training_hub.run import RunDir, RunSpec

_BATCH = ("-m", "training_hub.launchers.slurm.batch")


def submit(
    specs: Sequence[RunSpec], folder: Path, array_parallelism: int | None = None
) -> Iterator[tuple[RunSpec, str]]:
    """Submit runs whose folders have been made; gives each with its job, `12` or `12_3`.

    Runs with the same settings become one array, in one call of sbatch. folder: where the script is kept.
    array_parallelism: how many of an array may run at a time. ConfigError where SLURM refuses.
    """
    for kind, group in enumerate(alike(specs)):
        number = _submit_alike(group, folder, array_parallelism, f"job_{kind + 1}.sh" if kind else "job.sh")
        names = [number] if len(group) == 1 else [f"{number}_{index}" for index in range(len(group))]
        yield from zip(group, names, strict=True)


def alike(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs parted by their settings: those of one array."""
    return [list(group) for _, group in groupby(sorted(specs, key=_kind), key=_kind)]


def script(specs: Sequence[RunSpec], folder: Path, array_parallelism: int | None = None) -> str:
    """What sbatch is given for runs with the same settings."""
    text: str = _executor(specs, folder, array_parallelism)._make_submission_file_text(_command(specs), "")
    return text


def _kind(spec: RunSpec) -> str:
    """What runs of one array have in common."""
    return json.dumps([{**spec.settings, "folder": ""}, spec.env, spec.commands[0][0]], sort_keys=True, default=str)


def _submit_alike(specs: Sequence[RunSpec], folder: Path, array_parallelism: int | None, name: str) -> str:
    for spec in specs:
        RunDir(spec.run_dir).write_spec(replace(spec, settings=_for_the_job(spec.settings)))
    file = folder / name
    file.write_text(script(specs, folder, array_parallelism))
    try:
        return cluster.ask("sbatch", "--parsable", str(file)).strip().partition(";")[0]
    except SchedulerError as error:
        raise ConfigError(fault("launcher", "slurm", f"sbatch refuses: {error}", "see launcher.sbatch")) from None


def _for_the_job(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("max_requeues", "nproc_per_node", "srun")}


def _command(specs: Sequence[RunSpec]) -> str:
    """The last line of the script; a task of an array finds its run by its number."""
    runs = [str(Path(spec.run_dir).absolute()) for spec in specs]
    return f"exec {shlex.join([specs[0].commands[0][0], *_BATCH, *runs])}"


def _executor(specs: Sequence[RunSpec], folder: Path, array_parallelism: int | None) -> Any:
    from submitit import SlurmExecutor

    node, env = specs[0].settings, specs[0].env
    executor = SlurmExecutor(folder)
    executor.update_parameters(
        job_name=node["job_name"],
        partition=node["partition"],
        account=node["account"],
        time=node["timeout_min"],
        nodes=node["nodes"],
        ntasks_per_node=1,
        gpus_per_node=node["gpus_per_node"] or None,
        cpus_per_task=node["cpus_per_node"],
        mem=_mebibytes(node["memory_gb"]),
        setup=[*(f"export {name}={shlex.quote(value)}" for name, value in env.items()), *node["setup"]],
        wckey=None,
        stderr_to_stdout=True,
        use_srun=False,
        additional_parameters=_further(specs, folder, array_parallelism),
    )
    return executor


def _further(specs: Sequence[RunSpec], folder: Path, array_parallelism: int | None) -> dict[str, Any]:
    """Options that submitit has no name for, and those whose value it would choose otherwise; the user's come last."""
    node = specs[0].settings
    found: dict[str, Any] = {
        "signal": f"B:USR2@{node['stop_before_s']}",  # to `batch` alone: torchrun would die of it
        "requeue" if node["max_requeues"] else "no-requeue": True,
        "output": str(RunDir(specs[0].run_dir).log).replace("%", "%%"),
    }
    if len(specs) > 1:
        at_a_time = f"%{array_parallelism}" if array_parallelism else ""
        found["array"] = f"0-{len(specs) - 1}{at_a_time}"
        found["output"] = f"{str(folder.absolute()).replace('%', '%%')}/%A_%a.log"
    return found | {name: _text(value) for name, value in node["sbatch"].items() if value not in (None, False)}


def _text(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _mebibytes(memory_gb: float | None) -> str | None:
    return None if memory_gb is None else f"{math.ceil(memory_gb * 1e9 / 2**20)}M"
