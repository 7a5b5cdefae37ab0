"""The classes behind a config's choices. Each is found by what the config names, once it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from omegaconf import DictConfig

from training_hub.config.choices import entry, options
from training_hub.config.lookup import selected
from training_hub.installed.locate import ADAPTER, ALGORITHM, BACKEND, LAUNCHER, LOGGER, TRAINER, find_class
from training_hub.interfaces.adapter import Adapter
from training_hub.interfaces.logger import Logger
from training_hub.params import SweepParams, aliases
from training_hub.registry import AlgorithmRegistry
from training_hub.trainers.base import Trainer


class Classes:
    """Those of one config, each looked up when it is first asked for. ConfigError where one is not there.

    cfg: composed; choices: option chosen in each group.
    """

    def __init__(self, cfg: DictConfig, choices: Mapping[str, str]) -> None:
        self._cfg, self._choices = cfg, choices

    @cached_property
    def algorithm(self) -> Any:
        """The chosen algorithm's."""
        registered = AlgorithmRegistry.made_in_python(self._choices["algorithm"])
        return registered or self._named("algorithm", "algorithm._target_", ALGORITHM)

    @cached_property
    def backend(self) -> Any:
        """The chosen backend's."""
        registered = AlgorithmRegistry.made_in_python(self._choices["algorithm"], self._choices["backend"])
        return registered or self._named("backend", "_target_", BACKEND)

    @cached_property
    def trainer(self) -> type[Trainer] | None:
        """What declares the trainer; None where the backend has no choice of trainers."""
        named = selected(self._cfg, "backend.trainer")
        if getattr(self.backend, "trainer", None) is None or not named:  # a missing one is refused with its node
            return None
        found: type[Trainer] = find_class(str(named), TRAINER, key="backend.trainer")
        return found

    @cached_property
    def launcher(self) -> Any:
        """The chosen launcher's."""
        return self._named("launcher", "launcher._target_", LAUNCHER)

    @cached_property
    def adapter(self) -> type[Adapter]:
        """The adapter's: the chosen one, or that of a recipe that is one itself."""
        if target := selected(self._cfg, "adapter._target_"):
            found: type[Adapter] = find_class(str(target), ADAPTER)
            return found
        return Adapter if self._choices["adapter"] == "none" else self._named("adapter", "adapter._target_", ADAPTER)

    @cached_property
    def loggers(self) -> dict[str, type[Logger]]:
        """Each logger's by its name; `Logger` for a name that none has."""
        return {str(name): self._logger(str(name)) for name in self._cfg.get("logger") or {}}

    @cached_property
    def are_registered(self) -> bool:
        """Whether the algorithm or the backend is a class that no recipe describes."""
        return not hasattr(self.algorithm, "Params") or not hasattr(self.backend, "Node")

    def _logger(self, name: str) -> Any:
        target = selected(self._cfg, f"logger.{name}._target_")
        if target is None and name not in options("logger"):
            return Logger
        return find_class(str(entry("logger", name, "_target_") if target is None else target), LOGGER)

    def _named(self, group: str, key: str, kind: str) -> Any:
        """What the config names for a group; key: where the option's file says so; kind: what it must be."""
        target = selected(self._cfg, f"{group}._target_")
        return find_class(str(entry(group, self._choices[group], key) if target is None else target), kind)


def owner_of(takes_adapter: bool, name: str) -> str | None:
    """The choice that would bring a parameter along: `algorithm=lora_sft`; None where none does."""
    if name in {**SweepParams.model_fields, **aliases(SweepParams)}:
        return "sweeps: add -m"
    for adapter in options("adapter") if takes_adapter else ():
        if adapter != "none" and name in _option("adapter", adapter, ADAPTER).Params.model_fields:
            return f"adapter={adapter}"
    for algorithm in options("algorithm"):
        owner = getattr(AlgorithmRegistry.get_algorithm(algorithm), "Params", None)
        if owner is not None and name in owner.model_fields:
            return f"algorithm={algorithm}"
    return next((f"launcher={each}" for each, found in launchers().items() if name in found.Params.model_fields), None)


def launchers() -> dict[str, Any]:
    """Every launcher that can be chosen, by its name."""
    return {name: _option("launcher", name, LAUNCHER) for name in options("launcher")}


def _option(group: str, name: str, kind: str) -> Any:
    return find_class(entry(group, name, f"{group}._target_"), kind)
