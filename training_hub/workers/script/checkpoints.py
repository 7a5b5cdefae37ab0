"""The checkpoints that a library's script leaves in its own folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from math import inf
from pathlib import Path

from training_hub.checkpoints import Checkpoint
from training_hub.model_files import is_complete
from training_hub.moving import move
from training_hub.run import RunDir
from training_hub.workers import going_on


def begin(run: RunDir) -> Checkpoint | None:
    """Clear away what an earlier script left, but for the models of epochs that are not trained again.

    Returns the checkpoint to go on from.
    """
    found = going_on.find(run)
    if found:
        gather(run, ended=False, until=going_on.counted(found)["samples"])
    clear(run)
    return found


def clear(run: RunDir) -> None:
    """Remove what the script of an earlier run left: the libraries go on from whatever state they find."""
    shutil.rmtree(run.library, ignore_errors=True)
    shutil.rmtree(run.prepared, ignore_errors=True)
    run.library.mkdir(exist_ok=True)


def gather(run: RunDir, ended: bool, until: float = inf) -> Path | None:
    """Move the models in Hugging Face format to `checkpoints/`, and drop the rows; returns the last model, or None.

    ended: the last one is the model after the last step, and becomes `checkpoints/final`. until: samples, those that
    have seen more stay. So do those whose weights are not finite, see `ruined`.
    """
    shutil.rmtree(run.prepared, ignore_errors=True)
    found = sorted((path for path in _saved(run) if _age(path.name)[0] <= until), key=lambda path: _age(path.name))
    moved = None
    for number, path in enumerate(found, 1):
        if not_finite(path):
            continue
        place = run.final_checkpoint if ended and number == len(found) else run.checkpoints / path.name
        shutil.rmtree(place, ignore_errors=True)
        moved = move(path, place)
    return moved


def ruined(run: RunDir) -> str | None:
    """A weight that is not finite, of a model that was not moved for that."""
    return next(filter(None, map(not_finite, _saved(run))), None)


def not_finite(folder: Path) -> str | None:
    """The first weight in a folder that is not finite, None where all are numbers."""
    from training_hub.workers import finite  # torch

    return finite.of_folder(folder)


def _saved(run: RunDir) -> Iterator[Path]:
    """The models in Hugging Face format, but for one that was being written when the script was ended."""
    models = (file.parent for file in (run.library / "hf_format").glob("*/config.json"))
    return filter(is_complete, models)


def _age(name: str) -> tuple[float, bool]:
    """`samples_800.0` comes after `samples_400`, and after `samples_800.0_best_val_loss`; `last_epoch` is the last."""
    if not name.startswith("samples_"):
        return inf, True
    samples, _, suffix = name.removeprefix("samples_").partition("_")
    return float(samples), not suffix
