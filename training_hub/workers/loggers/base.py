"""What a client has to do, and what it is told of the run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir

_NODES = {"algorithm", "adapter", "backend", "callbacks", "data", "launcher", "logger", "model", "recipe"}
Row = dict[str, float]


@dataclass(frozen=True)
class Facts:
    """A run, as a logger describes it.

    name: of the run directory and the folder around it. group: the sweep that the run is one of, or None.
    """

    run: RunDir
    config: Mapping[str, Any]
    name: str
    group: str | None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, with the choices that they belong to."""
        manifest = self.run.read_manifest()
        chosen = {key: manifest[key] for key in ("algorithm", "backend") if key in manifest}
        return chosen | {key: value for key, value in self.config.items() if key not in _NODES}


def facts(run: RunDir) -> Facts:
    """Those of a run."""
    sweep = SweepDir(run.path.parent)
    group = sweep.path.name if sweep.exists() else None
    return Facts(run, run.read_config(), f"{run.path.parent.name}/{run.path.name}", group)


class Client(ABC):
    """A run at a logger: begun by `__init__`, where id is None, else gone on with. Whatever fails raises.

    id: what it is known by there. url: where it can be seen.
    """

    id: str
    url: str | None = None

    @abstractmethod
    def __init__(self, node: Mapping[str, Any], facts: Facts, id: str | None) -> None:  # noqa: A002  its name everywhere
        """Tell the logger parameters, config and manifest."""

    @abstractmethod
    def log(self, rows: Sequence[Row]) -> None:
        """Pass rows of metrics on, those of metrics.jsonl without what is null."""

    @abstractmethod
    def finish(self, result: Mapping[str, Any]) -> None:
        """End the run there. result: status and metrics, as in result.json; the manifest is complete by now."""
