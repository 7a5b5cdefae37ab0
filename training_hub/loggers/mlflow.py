"""MLflow, seen from the front."""

from __future__ import annotations

from typing import Any, ClassVar

from training_hub.interfaces.logger import Logger
from training_hub.params import LoggerNode, Text, param


class MlflowNode(LoggerNode):
    """`logger.mlflow`; what is not here follows from the client's own environment variables."""

    tracking_uri: Text = param(
        "server, database or folder; set user and password in MLFLOW_TRACKING_USERNAME and _PASSWORD",
        aliases=("mlflow_tracking_uri",),
        min_length=1,
    )
    experiment: Text = param("name of the experiment", min_length=1)
    name: Text | None = param("name of the run; null: the name of the run directory")
    group: Text | None = param("tag `group`; null: the sweep that the run belongs to, if any")
    tags: dict[str, Any] = param("further tags")


class MlflowLogger(Logger):
    """A server, or a database on this machine."""

    Node: ClassVar[type[LoggerNode]] = MlflowNode
