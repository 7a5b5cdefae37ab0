"""unsloth in a worker process. Importing this package imports neither torch nor unsloth."""

from __future__ import annotations

import importlib
import os
from typing import Any

from training_hub.run import RunDir
from training_hub.workers.trl import trainer_of


def train(run: RunDir, config: dict[str, Any]) -> dict[str, Any]:
    """Train an adapter and save; returns and raises what training_hub.workers.trl.train does."""
    # Where it compiles, unsloth writes modules: into the folder of the run, not into the user's.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(run.library / "compiled"))
    importlib.import_module("unsloth")  # before transformers and PEFT: it changes both when it is imported
    get = importlib.import_module("training_hub.workers.unsloth.load").model_and_adapter
    run_loop: Any = importlib.import_module("training_hub.workers.loop.run_loop")
    result: dict[str, Any] = run_loop.train(run, config, trainer_of(config), get)
    return result
