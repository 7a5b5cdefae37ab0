"""The checkpoints that a library's script leaves in its own folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from training_hub.run import RunDir


def clear(run: RunDir) -> None:
    """Remove what the script of an earlier run left: the libraries go on from whatever state they find."""
    shutil.rmtree(run.library, ignore_errors=True)
    shutil.rmtree(run.prepared, ignore_errors=True)
    run.library.mkdir(exist_ok=True)


def gather(run: RunDir, ended: bool) -> Path | None:
    """Move the models in Hugging Face format to `checkpoints/`, and drop the rows; returns the last model, or None.

    ended: the last one is the model after the last step, and becomes `checkpoints/final`.
    """
    shutil.rmtree(run.prepared, ignore_errors=True)
    found = sorted((run.library / "hf_format").glob("*/config.json"), key=lambda file: _age(file.parent.name))
    moved = None
    for number, file in enumerate(found, 1):
        place = run.final_checkpoint if ended and number == len(found) else run.checkpoints / file.parent.name
        shutil.rmtree(place, ignore_errors=True)
        moved = file.parent.rename(place)
    return moved


def _age(name: str) -> tuple[float, bool]:
    """`samples_800.0` comes after `samples_400`, and after `samples_800.0_best_val_loss`; `last_epoch` is the last."""
    if not name.startswith("samples_"):
        return float("inf"), True
    samples, _, suffix = name.removeprefix("samples_").partition("_")
    return float(samples), not suffix
