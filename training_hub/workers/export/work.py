"""What is asked of this process: one checkpoint whole, or a mixture of two."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers.utils import logging

from training_hub import checkpoints
from training_hub.errors import ConfigError, fault
from training_hub.moving import move
from training_hub.redaction import redacted
from training_hub.terminal import say
from training_hub.workers.export import card, interpolate, proof, whole

Request = dict[str, Any]


def fulfil(request: Request) -> None:
    """Fill a folder beside the place that is asked for, then put it there: a model is there in full or not at all."""
    place = Path(request["output_dir"])
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=place if place.is_mount() else place.parent, prefix=f".{place.name}."))
    except OSError as error:
        raise ConfigError(fault("output_dir", place, str(error.strerror), "choose another")) from None
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        work: Callable[[Request, Path], None] = interpolated if "weight" in request else exported
        work(request, unfinished)
        unfinished.chmod(0o755)
        checkpoints.make_readable(unfinished)
        _put(unfinished, place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _put(unfinished: Path, place: Path) -> None:
    """Give the folder its name, in place of an empty one or of the model that is to be overwritten.

    A mount, as a container has one, can only be filled: with the file last by which it is a model.
    """
    if not place.is_mount():
        if place.is_dir():
            shutil.rmtree(place)
        move(unfinished, place)
        return
    for file in place.iterdir():
        if file.is_file():
            file.unlink()
    for file in sorted(unfinished.iterdir(), key=lambda each: each.name == "config.json"):
        file.rename(place / file.name)


def exported(request: Request, folder: Path) -> None:
    """One checkpoint, whole."""
    found = whole.load(request)
    for line in found.told:
        say(line)
    found.model.save_pretrained(folder, max_shard_size="5GB")
    found.tokenizer.save_pretrained(folder)
    origin = card.origin_of_run(request, found.told)
    (folder / "README.md").write_text(redacted(card.card(Path(request["output_dir"]).name, origin, found.facts())))
    say(f"saved: {found.facts()}")
    say(proof.prove(folder, request, found.model))


def interpolated(request: Request, folder: Path) -> None:
    """A mixture of two checkpoints."""
    facts = interpolate.write(request, folder)
    origin = card.origin_of_two(request)
    (folder / "README.md").write_text(redacted(card.card(Path(request["output_dir"]).name, origin, facts)))
    say(f"saved: {facts}")
    say(proof.prove(folder, request))
