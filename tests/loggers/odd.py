"""Loggers that go wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from training_hub.workers.loggers.base import Client, Facts, Row


class Kept(Client):
    """Writes what it is told to a file."""

    def __init__(self, node: Mapping[str, Any], facts: Facts, id: str | None) -> None:  # noqa: A002
        self.id, self._file = id or "one", facts.run.path / "kept"
        self._write(f"begin {id} {facts.name} {facts.group}")

    def log(self, rows: Sequence[Row]) -> None:
        self._write(*(f"{row['step']} {'eval_loss' in row}" for row in rows))

    def finish(self, result: Mapping[str, Any]) -> None:
        self._write(f"end {result['status']}")

    def _write(self, *lines: str) -> None:
        with self._file.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)


class Away(Kept):
    """Is unreachable as long as a file says so."""

    def log(self, rows: Sequence[Row]) -> None:
        if (self._file.parent / "away").exists():
            raise ConnectionError("no route\nto the host")
        super().log(rows)


class Hanging(Kept):
    """Never comes back."""

    def log(self, rows: Sequence[Row]) -> None:
        time.sleep(600)
