"""`doctor`: this machine against what the chosen algorithm and backend need."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import Any

from packaging.requirements import Requirement

from training_hub import train
from training_hub.command_line.table import table
from training_hub.config.check import check
from training_hub.config.classes import launchers
from training_hub.config.preflight import CUDA_BUILD, how_to_install, without_cuda
from training_hub.config.tested import recorded
from training_hub.errors import ConfigError
from training_hub.installed.interpreter import look_at, missing_requirements, too_old, versions
from training_hub.jobs import NoScheduler, SchedulerError
from training_hub.machine import hardware
from training_hub.registry import AlgorithmRegistry
from training_hub.verbs.doctor.drift import Difference, as_tested, drift, other_versions
from training_hub.verbs.list.tables import state

_FRONT = ("hydra-core", "omegaconf", "pydantic", "rich")
Row = tuple[str, str, str]  # what, what is there, "ok" or what is wrong with it


def doctor(overrides: Sequence[str], folders: Sequence[str] = ()) -> tuple[str, bool]:
    """The report, and whether everything that was chosen is there."""
    composition = train.composed(overrides, folders)
    if faults := check(as_tested(composition), allow_missing=True):
        raise ConfigError(*faults)
    chosen, algorithm = composition.choices["backend"], composition.choices["algorithm"]
    node = composition.cfg.backend
    python, requires, needs_gpu = node.get("python"), list(node.get("requires") or []), bool(node.get("needs_gpu"))
    missing = missing_requirements(requires, python)
    differences = drift(chosen, python)
    rows = [("python", platform.python_version(), "ok"), *_versions(_FRONT), *_machine()]
    rows += _worker(python) + _libraries(requires, missing, python)
    rows += _gpu(python, needs_gpu) + _flash(composition.classes.backend, python)
    rows += _arguments(chosen, python, differences)
    lines = [f"{algorithm} on {chosen}", "", *table(rows)]
    lines += ["", f"to install: {how_to_install(missing, python, chosen)}"] if missing else []
    lines += ["", f"for the GPU: {CUDA_BUILD}"] if needs_gpu and without_cuda(python) else []
    lines += ["", *_drifted(chosen, python, differences)] if differences else []
    asked = python if "backend.python" in composition.by_user else None  # else each has its own
    others = [(name, state(name, asked)) for name in AlgorithmRegistry.list_backends(algorithm)]
    healthy = not any(verdict == "missing" for *_, verdict in rows) and not any(each.breaks for each in differences)
    return "\n".join([*lines, "", *table([("backend", "state"), *others])]), healthy


def _versions(names: Sequence[str]) -> list[Row]:
    return [(name, version or "-", "ok" if version else "missing") for name, version in versions(names).items()]


def _machine() -> list[Row]:
    gpus = ", ".join(f"{gpu.name} ({gpu.memory_gb:.0f} GB)" for gpu in hardware.gpus())
    cuda = hardware.driver_cuda()
    return [
        ("GPUs", gpus or "none", "ok" if gpus else "-"),
        ("NVIDIA driver", f"CUDA {cuda}" if cuda else "none", "ok" if cuda else "-"),
        ("cores", str(hardware.cores()), "ok"),
        ("memory", f"{hardware.memory_gb():.1f} GB", "ok"),
        ("free disk here", f"{hardware.free_disk_gb('.'):.1f} GB", "ok"),
        *_schedulers(),
    ]


def _schedulers() -> Iterator[Row]:
    """What the launchers that submit jobs find on this machine."""
    for launcher in launchers().values():
        if not launcher.waits:
            yield launcher.name, *_scheduler(launcher)


def _scheduler(launcher: Any) -> tuple[str, str]:
    try:
        return launcher.version(), "ok"
    except NoScheduler:
        return "none", "-"
    except SchedulerError as error:
        return str(error), "no answer"


def _worker(python: str | None) -> list[Row]:
    """The interpreter of the worker, where it is another one."""
    if python is None:
        return []
    version = ".".join(map(str, look_at(python).version))
    return [("the worker's python", f"{version}, {python}", "missing" if too_old(python) else "ok")]


def _libraries(requires: Sequence[str], missing: Sequence[str], python: str | None) -> list[Row]:
    installed = versions([Requirement(text).name for text in requires], python)
    lacking = {text.partition(" (")[0] for text in missing}
    return [
        (text, installed[Requirement(text).name] or "-", "missing" if str(Requirement(text)) in lacking else "ok")
        for text in requires
    ]


def _gpu(python: str | None, needed: bool) -> list[Row]:
    """Whether there is a GPU that torch can use; one that stands idle is worth a word too."""
    rows = [("a CUDA GPU", str(len(hardware.gpus())), "ok" if hardware.gpus() else "missing")] if needed else []
    if reason := without_cuda(python):
        rows.append(("torch on the GPU", reason, "missing" if needed else "the GPU is not used"))
    return rows


def _flash(backend: object, python: str | None) -> list[Row]:
    """flash-attn, which every backend can do without, and most are faster with."""
    version = versions(["flash-attn"], python)["flash-attn"]
    without = getattr(backend, "without_flash", "-")
    return [("flash-attn", version or "-", "ok" if version else without)]


def _arguments(backend: str, python: str | None, differences: Sequence[Difference]) -> list[Row]:
    """Whether the libraries take the arguments that the recipes were tested with."""
    tested = recorded(backend)["arguments"]
    if not tested:
        return []
    broken = sum(each.breaks for each in differences)
    verdict = "missing" if broken else "ok"
    return [("arguments of the library", f"{len(differences)} differ" if differences else "as tested", verdict)]


def _drifted(backend: str, python: str | None, differences: Sequence[Difference]) -> list[str]:
    """The arguments that are not as they were tested, and the lines of recipes that give them."""
    rows = [(f"{each.target} {each.name}", each.what, _given_by(each)) for each in differences]
    return [*other_versions(backend, python), *table([("argument", "is now", "given by"), *rows])]


def _given_by(each: Difference) -> str:
    return "; ".join([*each.lines, *(["the backend itself"] if each.reserved else [])]) or "-"
