"""The rows of the heaviest part of a step, as the first process gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from training_hub.data.formats.base import Format, Side
from training_hub.data.prepare import prepare
from training_hub.data.recognise import Formats
from training_hub.data.rows import Flat, Rows
from training_hub.workers.exact_steps import batches
from training_hub.workers.tokenizer import load as load_tokenizer

_STEPS = 2000  # that are looked at


@dataclass(frozen=True)
class Split:
    """How a step becomes micro-batches on the first process. each: rows that belong together, 2 for a pair."""

    max_tokens: int
    packed: bool
    batch_size: int
    processes: int
    each: int

    def of(self, numbers: Sequence[int], lengths: Any) -> list[list[int]]:
        """The two heaviest micro-batches of a step, as numbers of rows; the heavier one first."""
        mine = sorted(numbers, key=lambda number: -lengths[number])[:: self.processes]
        costs = [int(self.each * lengths[number]) for number in mine]
        groups = batches.split(costs, self.max_tokens, self.packed)
        parts = [[mine[index] for index in group] for group in groups]
        return sorted(parts, key=lambda part: -self.tokens(part, lengths))[:2]

    def tokens(self, part: Sequence[int], lengths: Any) -> int:
        """What a micro-batch holds, padding included."""
        held = [int(self.each * lengths[number]) for number in part]
        return sum(held) if self.packed else len(held) * max(held)


def heaviest(config: dict[str, Any], processes: int, max_tokens: int, folder: Path) -> tuple[Rows, int]:
    """Rows of the two heaviest micro-batches of a step, and the tokens of the heavier; folder: is filled.

    With the second one, the gradients of the first are there already. They are rows of the run's data; without any,
    rows of max_seq_len tokens, all of which are trained.
    """
    rows, form = _prepared(config) if config["data"].get("path") else _full(config, folder / "full")
    backend = config["backend"]
    split = Split(max_tokens, backend["packing"], backend["effective_batch_size"], processes, form.sides)
    sampler = batches.StepSampler(len(rows), split.batch_size, config["recipe"].get("seed", 0))
    lengths = rows.lengths
    parts = max(
        (split.of(numbers, lengths) for numbers in islice(sampler, _STEPS)),
        key=lambda parts: [split.tokens(part, lengths) for part in parts],
    )
    chosen = [number for part in parts for number in part]
    sides = [rows.tokens[form.sides * number + side] for number in chosen for side in range(form.sides)]
    return _save(sides, form, folder / "chosen"), split.tokens(parts[0], lengths)


def _prepared(config: dict[str, Any]) -> tuple[Rows, Format]:
    tokenizer = load_tokenizer(config["model"], config["data"]["chat_template"])
    prepared = prepare(tokenizer, config["data"])
    return prepared.train, Formats(config["data"]).every[prepared.report["train"]["format"]]


def _full(config: dict[str, Any], folder: Path) -> tuple[Rows, Format]:
    """A step of the longest rows of the first format that the algorithm learns from."""
    form = next(iter(Formats(config["data"]).asked.values()))
    sides = form.proxy(int(config["data"]["max_seq_len"])) * int(config["backend"]["effective_batch_size"])
    return _save(sides, form, folder), form


def _save(sides: Sequence[Side], form: Format, folder: Path) -> Rows:
    ids, labels = (np.concatenate(each) for each in zip(*sides, strict=True))
    offsets = np.cumsum([0, *(len(row) for row, _ in sides)], dtype=np.int64)
    Flat(ids, labels, offsets).save(folder)
    stored: Rows = form.stored(folder)
    return stored
