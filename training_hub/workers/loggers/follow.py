"""The process beside the worker: `python -m training_hub.workers.loggers.follow RUN_DIR`.

It reads metrics.jsonl as it grows and passes each row on to every logger, each in a thread of its own. Nothing that a
client does, or does not come back from, reaches the training. The result comes on standard input; its end without one
means that the worker is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from training_hub.installed import trust
from training_hub.installed.locate import CLIENT, find_class
from training_hub.redaction import redacted
from training_hub.run import RunDir, write_atomically
from training_hub.workers.loggers.base import Client, Facts, Row, facts

_TICK_S = 0.5
_LONGEST_WAIT_S = 60.0  # between two tries
_GONE = {"status": "failed", "metrics": {}, "error": "the worker is gone"}


class End:
    """The end of the training, which all threads wait for."""

    def __init__(self) -> None:
        self.result: dict[str, Any] | None = None
        self._come = threading.Event()

    def set(self, result: dict[str, Any]) -> None:
        """The training has ended so."""
        self.result = result
        self._come.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has come, after so many seconds at most."""
        return self._come.wait(seconds)


class Rows:
    """What is new in metrics.jsonl; all of it after a run that goes on has cut it back to a checkpoint."""

    def __init__(self, run: RunDir) -> None:
        self._file = run.metrics
        self._inode, self._read = 0, 0

    def new(self) -> list[Row]:
        """The complete rows since the last call."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._read:
                self._inode, self._read = found.st_ino, 0
            file.seek(self._read)
            lines = file.read().split(b"\n")[:-1]
        self._read += sum(len(line) + 1 for line in lines)
        return [{name: value for name, value in json.loads(line).items() if value is not None} for line in lines]


class Follower:
    """Keeps one logger up to date.

    How far it has got is kept as a step and a number of rows at that step, because rows may be written once more.
    """

    def __init__(self, name: str, node: Mapping[str, Any], run_facts: Facts, end: End) -> None:
        self.name, self._node, self._facts, self._end = name, node, run_facts, end
        self._file = run_facts.run.loggers / f"{name}.json"
        self._state: dict[str, Any] = {"id": None, "url": None, "step": -1, "rows_at_step": 0}
        self._state |= json.loads(self._file.read_text()) if self._file.exists() else {}
        self._state |= {"error": None, "finished": False}
        self._client: Client | None = None
        self._rows, self._pending = Rows(run_facts.run), list[Row]()
        self._seen, self._seen_at_step = -1.0, 0

    def run(self) -> None:
        """Follow to the end. What fails is tried again, after longer and longer waits; at the end once."""
        wait, ended = _TICK_S, False
        while not ended:
            ended = self._end.wait(wait)
            try:
                client = self._keep_up()
                if ended:
                    client.finish(self._end.result or _GONE)
                wait = _TICK_S
                self._remember(error=None, finished=ended)
            except Exception as error:
                wait = min(_LONGEST_WAIT_S, 2 * wait)
                self._say(error)

    def _keep_up(self) -> Client:
        if self._client is None:
            kind = find_class(self._node["worker"], CLIENT, key=f"logger.{self.name}.worker")
            self._client = kind(self._node, self._facts, self._state["id"])
            self._remember(id=self._client.id, url=self._client.url)
            print(f"logger {self.name}: {self._client.url}", flush=True)
        for row in self._rows.new():
            self._seen_at_step = self._seen_at_step + 1 if row["step"] == self._seen else 1
            self._seen = row["step"]
            if (self._seen, self._seen_at_step) > (self._state["step"], self._state["rows_at_step"]):
                self._pending.append(row)
        if self._pending:
            self._client.log(self._pending)
            self._pending = []
            self._remember(step=self._seen, rows_at_step=self._seen_at_step)
        return self._client

    def _say(self, error: Exception) -> None:
        lines = str(error).strip().splitlines() or [""]
        text = redacted(f"{type(error).__name__}: {lines[0]}")
        if text != self._state["error"]:
            print(f"logger {self.name}: {text}; the run goes on, and this is tried again", flush=True)
        self._remember(error=text)

    def _remember(self, **entries: Any) -> None:
        if not entries.items() <= self._state.items():
            self._state |= entries
            self._file.parent.mkdir(exist_ok=True)
            write_atomically(self._file, json.dumps(self._state) + "\n")


def main(run_dir: str) -> int:
    """Follow a run with all of its loggers."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the training, which ends first
        signal.signal(number, signal.SIG_IGN)
    known, end = facts(RunDir(run_dir)), End()
    if known.run.is_own():
        trust.allow_config(known.config)
    nodes = {name: node for name, node in known.config["logger"].items() if node["worker"]}
    threads = [threading.Thread(target=Follower(*each, known, end).run, daemon=True) for each in nodes.items()]
    for thread in threads:
        thread.start()
    text = sys.stdin.readline()
    end.set(json.loads(text) if text else _GONE)
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
