"""MLflow, seen from the front."""

from __future__ import annotations

from typing import Any, ClassVar

from training_hub.interfaces.logger import Logger
from training_hub.params import LoggerNode, Text, param


class MlflowNode(LoggerNode):
    """`logger.mlflow`; what is not here follows from the client's own environment variables."""

    tracking_uri: Text = param(
        "server, database or folder; user and password are MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        aliases=("mlflow_tracking_uri",),
        min_length=1,
    )
    experiment: Text = param("experiment that the run belongs to", min_length=1)
    name: Text | None = param("name of the run; null: that of the run directory")
    group: Text | None = param("tag `group`; null: the sweep, where it is of one")
    tags: dict[str, Any] = param("further tags")


class MlflowLogger(Logger):
    """A server, or a database on this machine."""

    Node: ClassVar[type[LoggerNode]] = MlflowNode
