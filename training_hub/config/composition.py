"""A composed config and all that is known of it, each thing looked up once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from training_hub.config import hydras
from training_hub.config.classes import Classes
from training_hub.config.groups import HYDRAS_STATE
from training_hub.config.lookup import interpreter_of
from training_hub.config.origin import references
from training_hub.config.schema import Schema, schema_of
from training_hub.config.sources import Said, Source
from training_hub.config.typed import Typed


@dataclass(frozen=True)
class Composition:
    """A composed config and where its values came from.

    cfg: the config, interpolations not resolved, without the hydra node. choices: option chosen in each group.
    typed: what the user set on the command line or in Python (typed_in). aliases: other names of parameters -> their
    own. sources: the YAML files, in merge order. kept: those that did not come with the project, name -> content.
    said: what the files say whose word alone runs nothing. hydra_cfg: with the hydra node, which `${hydra:...}` reads.
    hydras: what files set below that node.
    """

    cfg: DictConfig
    hydra_cfg: DictConfig
    choices: dict[str, str]
    overrides: tuple[str, ...]
    typed: Typed
    aliases: Mapping[str, str]
    sources: tuple[Source, ...]
    typed_in: str = "command line"
    kept: Mapping[str, str] = field(default_factory=dict)
    said: Sequence[Said] = ()
    hydras: tuple[hydras.Setting, ...] = ()

    @cached_property
    def classes(self) -> Classes:
        """The classes behind the choices."""
        return Classes(self.cfg, self.choices)

    @cached_property
    def schema(self) -> Schema:
        """What the config may hold."""
        return schema_of(self.cfg, self.choices, self.classes, self.python)

    @cached_property
    def python(self) -> str | None:
        """What `backend.python` says, the interpreter of the worker; see `interpreter_of`."""
        return interpreter_of(self.cfg)

    @cached_property
    def by_user(self) -> frozenset[str]:
        """The keys that the user set: typed, in an experiment, or in a file of the user's own."""
        return frozenset(self.typed.values).union(*(source.keys for source in self.sources if source.is_users))

    @cached_property
    def follows(self) -> dict[str, str]:
        """Dotted keys that are one parameter and nothing else, with its name: `data.seed` -> `seed`."""
        return {key: name for source in self.sources for key, name in source.follows.items()}

    @cached_property
    def used(self) -> dict[str, set[str]]:
        """Each key of the root with the root keys that its value refers to, as written."""
        return {str(key): references(self.cfg._get_node(key)) for key in self.cfg}

    def place_of(self, key: str) -> str:
        """Where a key stands, for one that was not typed: ` (experiment/mine.yaml, line 3)`."""
        if key in self.typed:
            return ""
        return next((source.place(key) for source in reversed(self.sources) if key in source.keys), "")

    def shown(self, key: str) -> Any:
        """A value as it was typed or as it stands in its file, interpolations not resolved."""
        if key in self.typed:
            return self.typed.values[key]
        parent, _, last = key.rpartition(".")
        node = OmegaConf.select(self.cfg, parent) if parent else self.cfg
        value: Any = node._get_node(last) if OmegaConf.is_dict(node) else None
        if value is None:  # a dot in a key of a file, which no path can name
            return "..."
        return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value._value()

    @contextmanager
    def resolving(self) -> Iterator[DictConfig]:
        """The config, with `${hydra:...}` pointing at this composition and not at another Hydra application's."""
        with HYDRAS_STATE:
            instance = HydraConfig.instance()
            before, instance.cfg = instance.cfg, self.hydra_cfg  # type: ignore[assignment]
            try:
                yield self.cfg
            finally:
                instance.cfg = before

    def as_typed(self, text: str) -> str:
        """A fault about a parameter under the name that the user gave it."""
        key, equals, rest = text.partition("=")
        name = self.follows.get(key)
        key = name if name in self.typed.values and key not in self.typed else key
        return f"{self.typed.written.get(key, key)}={rest}" if equals else text
