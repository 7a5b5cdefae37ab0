"""What the front knows of a logger: its settings and what they need. What writes is in `workers/loggers/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from training_hub.params import LoggerNode, Text, param


class Logger:
    """Somewhere that metrics go.

    Node: its settings.
    """

    Node: ClassVar[type[LoggerNode]] = LoggerNode

    @classmethod
    def check(cls, node: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with settings that are sound one by one, one line each."""
        yield from ()


class TensorBoardNode(LoggerNode):
    """`logger.tensorboard`."""

    log_dir: Text | None = param("folder of the event files; null: `tensorboard` in the run directory")


class TensorBoardLogger(Logger):
    """Event files."""

    Node: ClassVar[type[LoggerNode]] = TensorBoardNode


class TrackioNode(LoggerNode):
    """`logger.trackio`."""

    project: Text = param("project that the run belongs to", min_length=1)
    name: Text | None = param("name of the run; null: that of the run directory")
    group: Text | None = param("group of runs; null: the sweep, where it is of one")
    space_id: Text | None = param("Space on the hub that shows the run; null: this machine")


class TrackioLogger(Logger):
    """Hugging Face's local-first tracker."""

    Node: ClassVar[type[LoggerNode]] = TrackioNode
