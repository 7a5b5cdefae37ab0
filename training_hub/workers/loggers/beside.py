"""Start the loggers' process beside a worker, and end it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training_hub.run import RunDir, TrainResult

_START = Path(__file__).parents[2] / "start.py"  # the package need not be installed here
_PATIENCE_S = {"completed": 60.0, "failed": 60.0}
_IN_A_HURRY_S = 5.0  # a batch system that takes the machine away waits for nobody


class Loggers:
    """The loggers of a run; does nothing where it has none but metrics.jsonl."""

    def __init__(self, run: RunDir, config: dict[str, Any]) -> None:
        self._run = run
        self._names = [name for name, node in (config.get("logger") or {}).items() if node.get("worker")]
        command = [sys.executable, str(_START), "training_hub.workers.loggers.follow", str(run.path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True) if self._names else None

    def end(self, result: TrainResult) -> list[str]:
        """Tell them the result and wait until they have passed it on; what has gone wrong, one line for each."""
        if self._process is None:
            return []
        try:
            self._process.communicate(json.dumps(asdict(result)) + "\n", _PATIENCE_S.get(result.status, _IN_A_HURRY_S))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return [text for name in self._names if (text := self._warning(name))]

    def _warning(self, name: str) -> str | None:
        file = self._run.loggers / f"{name}.json"
        state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        if state.get("finished"):
            return None
        step = max(0, state.get("step", 0))
        return f"logger {name}: {state.get('error') or 'no answer'}; it has what was measured up to step {step}"
