"""MLflow: a tracking server, or a database on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from training_hub.workers.loggers.base import Client, Facts, Row

_ENDED = {"completed": "FINISHED", "interrupted": "KILLED"}
_AT_A_TIME = 100  # parameters that a server takes; of metrics it takes more
_LONGEST_PARAM = 6000  # characters


class Mlflow(Client):
    """A run in an experiment."""

    def __init__(self, node: Mapping[str, Any], facts: Facts, id: str | None) -> None:  # noqa: A002
        self._client, self._facts = MlflowClient(node["tracking_uri"]), facts
        self.id = id or self._created(node)
        self.url = node["tracking_uri"]
        self._client.update_run(self.id, status="RUNNING")
        self._files()

    def log(self, rows: Sequence[Row]) -> None:
        """Each number with its step."""
        now = int(time.time() * 1000)
        metrics = [
            Metric(name, value, now, int(row["step"])) for row in rows for name, value in row.items() if name != "step"
        ]
        for start in range(0, len(metrics), _AT_A_TIME):
            self._client.log_batch(self.id, metrics=metrics[start : start + _AT_A_TIME])

    def finish(self, result: Mapping[str, Any]) -> None:
        """The final numbers are tags: as metrics they would be curves of one point."""
        self._files()
        self._client.log_dict(self.id, dict(result), "result.json")
        for name, value in result["metrics"].items():
            self._client.set_tag(self.id, name, value)
        self._client.set_terminated(self.id, _ENDED.get(result["status"], "FAILED"))

    def _created(self, node: Mapping[str, Any]) -> str:
        facts = self._facts
        group = node["group"] or facts.group
        tags = {"mlflow.source.name": "training_hub", **({"group": group} if group else {}), **node["tags"]}
        created = self._client.create_run(
            self._experiment(node["experiment"]), tags=tags, run_name=node["name"] or facts.name
        )
        params = [Param(name, _text(value)[:_LONGEST_PARAM]) for name, value in facts.params.items()]
        for start in range(0, len(params), _AT_A_TIME):
            self._client.log_batch(created.info.run_id, params=params[start : start + _AT_A_TIME])
        return str(created.info.run_id)

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _files(self) -> None:
        for file in (self._facts.run.config, self._facts.run.manifest):
            self._client.log_artifact(self.id, str(file))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
