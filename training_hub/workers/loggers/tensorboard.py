"""Event files for TensorBoard, written without torch or TensorFlow."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from training_hub.workers.loggers.base import Client, Facts, Row


class TensorBoard(Client):
    """The events of one run in one folder; one that goes on adds a file."""

    def __init__(self, node: Mapping[str, Any], facts: Facts, id: str | None) -> None:  # noqa: A002
        self.id, self._facts = id or secrets.token_hex(4), facts
        self.url = str(Path(node["log_dir"] or facts.run.path / "tensorboard").absolute())
        self._writer = EventFileWriter(self.url)
        if id is None:
            self._add(0, hparams_pb({key: _plain(value) for key, value in facts.params.items()}, trial_id=self.id))
            self._text("config", yaml.safe_dump(facts.config, sort_keys=False))
            self._text("manifest", json.dumps(facts.run.read_manifest(), indent=2))
        self._writer.flush()

    def log(self, rows: Sequence[Row]) -> None:
        """One event for each number."""
        for row in rows:
            values = [Summary.Value(tag=name, simple_value=value) for name, value in row.items() if name != "step"]
            self._add(int(row["step"]), Summary(value=values))
        self._writer.flush()

    def finish(self, result: Mapping[str, Any]) -> None:
        """The manifest once more, and the result."""
        self._text("manifest", json.dumps(self._facts.run.read_manifest(), indent=2))
        self._text("result", json.dumps(result, indent=2))
        self._writer.close()

    def _text(self, name: str, text: str) -> None:
        kind = create_summary_metadata(display_name=name, description="")
        tensor = TensorProto(dtype="DT_STRING", string_val=[f"```\n{text}\n```".encode()])
        self._add(0, Summary(value=[Summary.Value(tag=name, metadata=kind, tensor=tensor)]))

    def _add(self, step: int, summary: Summary) -> None:
        self._writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))


def _plain(value: Any) -> str | float | bool:
    return value if isinstance(value, str | int | float) else json.dumps(value)
