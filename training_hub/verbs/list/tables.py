"""`list`: algorithms, backends, which pairs exist, what each needs, and whether this machine has it."""

from __future__ import annotations

from omegaconf import OmegaConf

from training_hub.command_line.table import table
from training_hub.config.choices import options, read_option
from training_hub.installed.extensions import extensions
from training_hub.installed.interpreter import missing_requirements
from training_hub.machine import hardware
from training_hub.registry import AlgorithmRegistry


def listing() -> str:
    """The text; a backend's state is `ready` or what is missing."""
    algorithms = AlgorithmRegistry.list_algorithms()
    backends = options("backend")
    pairs = {name: AlgorithmRegistry.list_backends(name) for name in algorithms}
    rows = [("algorithm", *backends)]
    for name in algorithms:
        marks = ["default" if [each] == pairs[name][:1] else "yes" if each in pairs[name] else "-" for each in backends]
        rows.append((name, *marks))
    needs = [("backend", "needs", "on this machine"), *((name, _needs(name), state(name)) for name in backends)]
    return "\n".join([*table(rows), "", *table(needs), *_extensions()])


def _extensions() -> list[str]:
    """What installed packages add to the choices; nothing where there is none."""
    rows = [(each.name, ", ".join(path.with_suffix("").as_posix() for path in each.options())) for each in extensions()]
    return ["", *table([("extension", "adds"), *rows])] if rows else []


def state(backend: str, python: str | None = None) -> str:
    """`ready`, or what this machine lacks for a backend; python: an interpreter in place of the backend's own."""
    node = read_option("backend", backend)
    lacks = ["a CUDA GPU"] if node.get("needs_gpu") and not hardware.gpus() else []
    python = python or OmegaConf.create(node).get("python")
    lacks += missing_requirements(node.get("requires") or [], python)
    where = f", in {python}" if python else ""
    return f"missing: {', '.join(lacks)}" if lacks else f"ready{where}"


def _needs(backend: str) -> str:
    node = read_option("backend", backend)
    return ", ".join([*(node.get("requires") or ()), *(["a CUDA GPU"] if node.get("needs_gpu") else [])]) or "nothing"
