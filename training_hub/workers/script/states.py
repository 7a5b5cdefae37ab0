"""The full states that a library's script leaves, as checkpoints of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training_hub import checkpoints
from training_hub.checkpoints import Checkpoint
from training_hub.errors import RunFailed, ruined
from training_hub.moving import move
from training_hub.run import RunDir
from training_hub.workers import going_on
from training_hub.workers.script.checkpoints import not_finite
from training_hub.workers.script.follow import Follower
from training_hub.workers.script.library import Library


class States:
    """Seals each full state when it is complete, and puts one back. report: of the rows."""

    def __init__(
        self, run: RunDir, config: dict[str, Any], library: Library, follower: Follower, report: dict[str, Any]
    ) -> None:
        self._run, self._config, self._library, self._follower = run, config, library, follower
        self._facts = going_on.facts(run, config, report)
        self._processes = int(config["launcher"]["world_size"])

    def go_on(self, checkpoint: Checkpoint | None, total_steps: int) -> None:
        """Let the script begin where a checkpoint stands, None: at the beginning. ConfigError where it does not fit."""
        if checkpoint is not None:
            going_on.check(checkpoint, self._facts, self._config["data"]["path"], total_steps)
            self._follower.restore(going_on.counted(checkpoint))
            self._library.put_back(checkpoint.path, self._run.library, checkpoint.facts["epochs"])

    def poll(self) -> None:
        """Carry over what is new in the metrics, then seal what is complete. RunFailed where a number is not finite."""
        self._follower.poll()
        for epochs, state in sorted(self._library.states(self._run.library, self._processes).items()):
            counted = self._follower.at_epoch.get(epochs)
            if counted:
                self._seal(state, epochs, counted)

    def _seal(self, state: Path, epochs: int, counted: dict[str, Any]) -> None:
        if name := not_finite(state):
            raise RunFailed(ruined(name, counted["step"]))
        place = self._run.checkpoint(counted["step"])
        self._run.unfinished.mkdir(exist_ok=True)
        unfinished = move(state, self._run.unfinished / place.name)
        (unfinished / going_on.PROGRESS).write_text(json.dumps(counted))
        checkpoints.sync(self._run.metrics)
        facts = self._facts | {"epochs": epochs, "world_size": self._processes}
        checkpoints.seal(unfinished, step=counted["step"], full=True, **facts)
        checkpoints.publish(unfinished, place)
        checkpoints.prune(self._run, self._config["backend"].get("save_total_limit"))
