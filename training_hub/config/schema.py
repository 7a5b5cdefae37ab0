"""What a config may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from training_hub.params import takes_text


@dataclass(frozen=True)
class Schema:
    """What a config may hold, put together from the classes that its choices name.

    params: owners of the root parameters. nodes: class of each config group's node, by its dotted path.
    libraries: for each node that names a class of a library (`recipe`, `adapter.peft`), by its dotted path, the
    arguments of that class with their annotations, None where its source is not installed. owned: of these, the ones
    that the worker sets, with the parameter to use instead. unfit: what of the choices does not go together.
    elsewhere: finds the choice that a parameter belongs to which this config lacks, e.g. "lora_r" ->
    "algorithm=lora_sft".
    """

    params: tuple[type[BaseModel], ...]
    nodes: Mapping[str, type[BaseModel]]
    libraries: Mapping[str, Mapping[str, str] | None]
    owned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unfit: tuple[str, ...] = ()
    elsewhere: Callable[[str], str | None] = lambda name: None

    def parameters(self) -> set[str]:
        """Names of the root parameters."""
        return {name for owner in self.params for name in owner.model_fields}

    def texts(self) -> set[str]:
        """Dotted keys whose values are texts, or lists of them."""
        owners = [("", each) for each in self.params] + [(f"{path}.", each) for path, each in self.nodes.items()]
        return {
            f"{prefix}{field.alias or name}"
            for prefix, owner in owners
            for name, field in owner.model_fields.items()
            if takes_text(field.annotation)
        }
