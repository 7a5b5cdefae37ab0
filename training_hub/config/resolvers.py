"""The arithmetic of recipes: `${name:arguments}` in a YAML file. Each states its rule and refuses what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import omegaconf
from omegaconf import ListConfig, OmegaConf
from packaging.version import Version

from training_hub.errors import ConfigError, fault
from training_hub.installed import environments
from training_hub.installed.interpreter import missing_requirements
from training_hub.machine import hardware


def first_set(*values: Any) -> Any:
    """The first value that is not null; null where all are."""
    return next((value for value in values if value is not None), None)


def choose(condition: bool, then: Any, otherwise: Any) -> Any:
    """`then` where the condition holds."""
    return then if condition else otherwise


def replaced(value: Any, old: Any, new: Any) -> Any:
    """The value, but `new` instead of `old`."""
    return new if value == old else value


def as_list(value: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return list(value) if isinstance(value, list | ListConfig) else [value]


def complement(share: float) -> float:
    """What is left of 1."""
    return 1 - share


def whole_epochs(num_epochs: float) -> int:
    """Epochs for a library that counts whole ones. ConfigError for a fraction."""
    if num_epochs != int(num_epochs):
        way = "give a whole number, or use backend=trl"
        raise ConfigError(fault("num_epochs", num_epochs, "this backend counts whole epochs", way))
    return int(num_epochs)


def without_flash_attention(attn_implementation: str, python: str | None) -> bool:
    """Whether a library that uses flash attention by itself is to do without; auto: where it is not installed."""
    if attn_implementation == "auto":
        return bool(missing_requirements(["flash-attn"], python and str(python)))
    return attn_implementation != "flash_attention_2"


def own_python(backend: str, requires: Sequence[str]) -> str | None:
    """The interpreter of the environment that was made for a backend; null where there is none, or no need for it.

    There is no need where what the backend requires is installed beside this program.
    """
    made = environments.python_of(backend)
    return made if made and missing_requirements(requires) else None


def processes(nproc_per_node: int | str) -> int:
    """Processes on this machine. ConfigError for `gpu` where there is none."""
    if not isinstance(nproc_per_node, str):
        return nproc_per_node
    found = len(hardware.gpus())
    if nproc_per_node == "gpu" and not found:
        raise ConfigError(fault("nproc_per_node", "gpu", "no CUDA GPU here", "give a number, or auto"))
    return found or 1


def processes_of_node(nproc_per_node: int | str, gpus_per_node: int) -> int:
    """Processes on a machine of a cluster: auto is one for each GPU that is asked for, or one."""
    return nproc_per_node if isinstance(nproc_per_node, int) else max(1, gpus_per_node)


def world_size(nnodes: int, nproc_per_node: int) -> int:
    """Processes over all machines."""
    return nnodes * nproc_per_node


def eval_strategy(eval_steps: int | None) -> str:
    """Transformers' eval_strategy: the evaluations before and after training are the worker's own."""
    return "no" if eval_steps is None else "steps"


def save_strategy(save_steps: int | None, checkpoint_at_epoch: bool) -> str:
    """Transformers' save_strategy. ConfigError where two rhythms are asked for."""
    if save_steps is not None and checkpoint_at_epoch:
        raise ConfigError(
            fault("save_steps", save_steps, "checkpoint_at_epoch=true is set as well", "keep one of the two")
        )
    return "steps" if save_steps is not None else "epoch" if checkpoint_at_epoch else "no"


def register() -> None:
    """Make the resolvers known to OmegaConf; doing it again changes nothing."""
    for resolver in (
        first_set, choose, replaced, as_list, complement, whole_epochs, without_flash_attention, own_python, processes,
        processes_of_node, world_size, eval_strategy, save_strategy,
    ):  # fmt: skip
        _add(resolver.__name__, _contained(resolver), replace=True)


def _add(name: str, resolver: Callable[..., Any], replace: bool) -> None:
    """Register one under the name that the function has in this version of OmegaConf; before 2.4 that was another."""
    renamed = Version(omegaconf.__version__).release >= (2, 4)
    add: Any = OmegaConf.register_resolver if renamed else OmegaConf.register_new_resolver
    add(name, resolver, replace=replace)


def _contained(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Lists and dicts as OmegaConf's own containers: `OmegaConf.resolve` refuses plain ones."""

    def resolve(*arguments: Any) -> Any:
        value = resolver(*arguments)
        return OmegaConf.create(value) if isinstance(value, list | dict) else value

    return resolve
