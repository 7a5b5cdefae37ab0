"""The memory of one process of a run: what a step on shapes holds, and what the machine has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training_hub.ask import answer
from training_hub.config.composition import Composition
from training_hub.config.objects import made
from training_hub.config.room import memory_of
from training_hub.errors import ConfigError, fault
from training_hub.machine import hardware

_WORKER = "training_hub.workers.estimate.__main__"
_STEADY = ("weights", "gradients", "optimizer", "process")
# What the rest is multiplied by, as allocators hold more than is in use. Processors: found from nine measured runs, see
# docs/benchmarks.md; a GPU's: not measured.
_FACTORS = {"processor": (1.35, 1.58, 1.85), "gpu": (1.0, 1.1, 1.3)}
_CONTEXT_GB = (0.3, 0.6, 1.0)  # of CUDA and its libraries; not measured


@dataclass(frozen=True)
class Place:
    """Where a process runs. has_gb: what it may hold, None where that is not known."""

    gpu: bool
    has_gb: float | None
    name: str


@dataclass(frozen=True)
class Memory:
    """What one process holds at its worst moment, in units of 10**9 bytes.

    parts: by kind. low, expected, high: the whole. tokens: at a time, of the heaviest micro-batch.
    """

    parts: Mapping[str, float]
    low: float
    expected: float
    high: float
    parameters: int
    trained: int
    tokens: int

    def verdict(self, place: Place) -> str:
        """Whether it fits."""
        if place.has_gb is None:
            return "no GPU here to compare it with: add gpu_memory_gib=80, or what yours has"
        bounds = {"fits": self.high, "will likely fit": self.expected, "may just fit": self.low}
        found = next((text for text, bound in bounds.items() if bound <= place.has_gb), "does not fit")
        return f"{found}: {place.name} has {place.has_gb:.1f} GB"


def place_of(config: Mapping[str, Any], gpu_memory_gib: float | None) -> Place:
    """A GPU where one is asked for, needed or there; else this machine's processors."""
    if gpu_memory_gib is not None:
        return Place(True, gpu_memory_gib * 2**30 / 1e9, "the GPU")
    has_gb, name = memory_of(config)
    if hardware.gpus() and config["recipe"].get("use_cpu") is not True:
        return Place(True, has_gb, name)
    return Place(True, None, "") if config["backend"]["needs_gpu"] else Place(False, has_gb, name)


def proxy_of(composition: Composition, config: dict[str, Any], place: Place) -> dict[str, Any]:
    """What the worker is asked to go through."""
    backend, trainer = composition.choices["backend"], composition.classes.trainer
    if trainer and trainer.unknown_memory:
        way = "add time=true, which trains a few steps and reports the time that they take"
        raise ConfigError(fault("algorithm", composition.choices["algorithm"], trainer.unknown_memory, way))
    found: dict[str, Any] | None = made(composition.classes.backend, config["backend"], "backend").memory_proxy(config)
    if found is None:
        way = "watch the first steps of a run"
        raise ConfigError(fault("backend", backend, "its memory is not known without loading the model", way))
    return found | {"memory_proxy": found["memory_proxy"] | {"gpu": place.gpu}}


def held(proxies: Sequence[dict[str, Any]], python: str | None) -> list[Memory]:
    """The memory of each; ConfigError where a model or its rows do not fit."""
    found = answer(_WORKER, proxies, python)
    return [_memory(each, proxy["memory_proxy"]["gpu"]) for each, proxy in zip(found, proxies, strict=True)]


def _memory(found: Mapping[str, Any], gpu: bool) -> Memory:
    parts = {kind: size / 1e9 for kind, size in found["parts"].items()}
    steady = sum(parts.get(kind, 0.0) for kind in _STEADY)
    rest = sum(parts.values()) - steady
    beside = _CONTEXT_GB if gpu else (0.0,) * 3
    factors = _FACTORS["gpu" if gpu else "processor"]
    low, expected, high = (steady + factor * rest + more for factor, more in zip(factors, beside, strict=True))
    return Memory(parts, low, expected, high, found["parameters"], found["trained"], found["tokens"])
