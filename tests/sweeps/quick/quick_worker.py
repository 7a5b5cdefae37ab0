"""A worker that learns nothing: `backend.worker=quick_worker.train`. It fails where lr is over 1.

The loss is best at lr=0.001, my/score at lr=0.01.
"""

from __future__ import annotations

import math
import time
from typing import Any

from training_hub.run import RunDir


def train(run: RunDir, config: dict[str, Any], *_script: str) -> dict[str, Any]:
    lr, steps = float(config["lr"]), int(config["max_steps"])
    if lr > 1:
        raise ValueError("that is too much")
    loss = abs(math.log10(lr) + 3)
    for step in range(1, steps + 1):
        run.append_metrics(step=step, loss=loss + 1 / step)
        if run.stop_requested():
            return {"status": "interrupted", "checkpoint_path": None, "metrics": {"steps": step}}
        if step > 5:
            time.sleep(0.05)
    metrics = {"final_loss": loss + 1 / steps, "eval_loss_after": loss, "steps": steps}
    metrics["my/score"] = 1 - abs(math.log10(lr) + 2) / 10
    return {"status": "completed", "checkpoint_path": None, "metrics": metrics}
