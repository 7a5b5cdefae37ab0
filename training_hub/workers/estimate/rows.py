"""The rows of the heaviest part of a step, as the first process gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from training_hub.data.prepare import prepare
from training_hub.data.rows import IGNORED, Flat, Ids, PreferenceRows, TokenRows
from training_hub.workers.exact_steps import batches
from training_hub.workers.tokenizer import load as load_tokenizer

_STEPS = 2000  # that are looked at
Rows = TokenRows | PreferenceRows


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
    preference = config["data"]["accepts"] == ["preference"]
    rows = _prepared(config) if config["data"].get("path") else _full(config, preference, folder / "full")
    backend = config["backend"]
    split = Split(max_tokens, backend["packing"], backend["effective_batch_size"], processes, 1 + preference)
    sampler = batches.StepSampler(len(rows), split.batch_size, config["recipe"].get("seed", 0))
    lengths = rows.lengths
    parts = max(
        (split.of(numbers, lengths) for numbers in islice(sampler, _STEPS)),
        key=lambda parts: [split.tokens(part, lengths) for part in parts],
    )
    return _chosen(rows, [number for part in parts for number in part], folder / "chosen"), split.tokens(
        parts[0], lengths
    )


def _prepared(config: dict[str, Any]) -> Rows:
    tokenizer = load_tokenizer(config["model"], config["data"]["chat_template"])
    return prepare(tokenizer, config["data"]).train


def _full(config: dict[str, Any], preference: bool, folder: Path) -> Rows:
    """A step of the longest rows; of a pair the first half is the prompt."""
    length = int(config["data"]["max_seq_len"])
    ids = np.ones(length, np.int32)
    labels = ids.copy()
    if preference:
        labels[: length // 2] = IGNORED
    sides = [(ids, labels)] * (config["backend"]["effective_batch_size"] * (1 + preference))
    return _save(sides, PreferenceRows if preference else TokenRows, folder)


def _chosen(rows: Rows, numbers: Sequence[int], folder: Path) -> Rows:
    if isinstance(rows, TokenRows):
        return _save([rows[number] for number in numbers], TokenRows, folder)
    return _save([rows.sides[2 * number + side] for number in numbers for side in (0, 1)], PreferenceRows, folder)


def _save(rows: Sequence[tuple[Ids, Ids]], kind: type[Rows], folder: Path) -> Rows:
    ids, labels = (np.concatenate(each) for each in zip(*rows, strict=True))
    offsets = np.cumsum([0, *(len(row) for row, _ in rows)], dtype=np.int64)
    Flat(ids, labels, offsets).save(folder)
    return kind(folder)
