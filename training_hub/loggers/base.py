"""Loggers that need no check of their settings."""

from __future__ import annotations

from typing import ClassVar

from training_hub.interfaces.logger import Logger
from training_hub.params import LoggerNode, Text, param


class TensorBoardNode(LoggerNode):
    """`logger.tensorboard`."""

    log_dir: Text | None = param("folder for the event files; null: `tensorboard` in the run directory")


class TensorBoardLogger(Logger):
    """Event files."""

    Node: ClassVar[type[LoggerNode]] = TensorBoardNode


class TrackioNode(LoggerNode):
    """`logger.trackio`."""

    project: Text = param("name of the project", min_length=1)
    name: Text | None = param("name of the run; null: the name of the run directory")
    group: Text | None = param("group of runs; null: the sweep that the run belongs to, if any")
    space_id: Text | None = param("Hugging Face Space that shows the run; null: this machine only")


class TrackioLogger(Logger):
    """Hugging Face's local-first tracker."""

    Node: ClassVar[type[LoggerNode]] = TrackioNode
