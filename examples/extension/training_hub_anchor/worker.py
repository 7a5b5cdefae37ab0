# training_hub_anchor/worker.py
"""What a worker process calls. It imports no torch: the module that trains does."""

from typing import Any

from training_hub.run import RunDir
from training_hub.workers import trl


def train(run: RunDir, config: dict[str, Any]) -> dict[str, Any]:
    """Train and save; see training_hub.workers.trl.train."""
    return trl.train(run, config, module="training_hub_anchor.training")
