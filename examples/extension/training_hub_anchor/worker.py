# training_hub_anchor/worker.py
"""What a worker process calls. Torch is imported by the course, once the worker has settled how it uses the cores."""

from typing import Any

from training_hub.run import RunDir
from training_hub.workers import trl


def train(run: RunDir, config: dict[str, Any]) -> dict[str, Any]:
    """Train and save; see training_hub.workers.trl.train."""
    return trl.train(run, config, course="training_hub_anchor.course")
