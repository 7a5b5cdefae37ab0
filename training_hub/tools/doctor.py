"""`doctor`: this machine against what the chosen algorithm and backend need."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from packaging.requirements import Requirement

from training_hub import catalogue, cluster, hardware, train
from training_hub.config.check import check
from training_hub.config.preflight import install_command, missing_requirements, versions
from training_hub.errors import ConfigError
from training_hub.registry import AlgorithmRegistry
from training_hub.tools.explain import table
from training_hub.tools.listing import state

_FRONT = ("hydra-core", "omegaconf", "pydantic", "rich")


def doctor(overrides: Sequence[str], folders: Sequence[str] = ()) -> tuple[str, bool]:
    """The report, and whether everything that was chosen is there."""
    composition = train.composed(overrides, folders)
    if faults := check(composition, catalogue.schema_of(composition), allow_missing=True):
        raise ConfigError(*faults)
    chosen, algorithm = composition.choices["backend"], composition.choices["algorithm"]
    node = composition.cfg.backend
    python = node.get("python")
    rows = [("python", platform.python_version(), "ok"), *_versions(_FRONT)]
    rows += _machine()
    requirements = list(node.get("requires") or [])
    missing = missing_requirements(requirements, python)
    installed = versions([Requirement(text).name for text in requirements], python)
    for text in requirements:
        version = installed[Requirement(text).name]
        bad = [each for each in missing if each.startswith(str(Requirement(text)))]
        rows.append((text, version or "-", "missing" if bad else "ok"))
    healthy = not missing
    if node.get("needs_gpu"):
        rows.append(("a CUDA GPU", str(len(hardware.gpus())), "ok" if hardware.gpus() else "missing"))
        healthy = healthy and bool(hardware.gpus())
    others = [
        ("backend", "state"),
        *((name, state(name, python)) for name in AlgorithmRegistry.list_backends(algorithm)),
    ]
    lines = [f"{algorithm} on {chosen}", "", *table(rows)]
    if missing:
        lines += ["", f"to install: {install_command(missing, python)}"]
    return "\n".join([*lines, "", *table(others)]), healthy


def _versions(names: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(name, version or "-", "ok" if version else "missing") for name, version in versions(names).items()]


def _machine() -> list[tuple[str, str, str]]:
    gpus = ", ".join(f"{gpu.name} ({gpu.memory_gb:.0f} GB)" for gpu in hardware.gpus())
    return [
        ("GPUs", gpus or "none", "ok" if gpus else "-"),
        ("cores", str(hardware.cores()), "ok"),
        ("memory", f"{hardware.memory_gb():.1f} GB", "ok"),
        ("free disk here", f"{hardware.free_disk_gb('.'):.1f} GB", "ok"),
        _slurm(),
    ]


def _slurm() -> tuple[str, str, str]:
    """SLURM as this machine sees it: its version, and the partitions with their nodes."""
    if not cluster.exists():
        return "SLURM", "none", "-"
    try:
        version, found = cluster.version(), cluster.partitions()
    except cluster.ClusterError as error:
        return "SLURM", str(error), "no answer"
    partitions = ", ".join(f"{each.name} ({each.nodes} nodes, {each.gpus} GPUs each)" for each in found)
    return "SLURM", f"{version}: {partitions}", "ok"
