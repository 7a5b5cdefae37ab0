"""Prepare one source: read, encode, cut, split, write, and account for every row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_hub.data import cut
from training_hub.data.batch import encode_all
from training_hub.data.cache import Report
from training_hub.data.check import Incompatible, summarise, summarise_refusals
from training_hub.data.encode import Encoder, NoChatTemplate
from training_hub.data.formats.base import Format
from training_hub.data.labels import IGNORED
from training_hub.data.rows import Beside, Flat
from training_hub.errors import ConfigError, fault

_SHOWN_CHARACTERS = 300
_REFUSED = "refused by the chat template"


@dataclass
class Encoded:
    """Rows on their way: `group` rows of `flat` for each line number; how many lines were dropped, by reason.

    beside: what is kept of each line beside its tokens, empty for nothing.
    """

    flat: Flat
    beside: list[str]
    numbers: NDArray[np.int64]
    form: Format
    rows_read: int
    dropped: dict[str, int]
    left_out: dict[str, int]
    notes: dict[str, int]
    example: str
    truncated: int = 0

    @property
    def group(self) -> int:
        """Rows of tokens for each row of the source."""
        return self.form.sides

    def drop(self, which: NDArray[np.bool_], reason: str) -> None:
        """Take out rows of the source and count them."""
        if which.any():
            self.flat = cut.select(self.flat, np.repeat(~which, self.group))
            self.beside = _chosen(self.beside, ~which)
            self.numbers = self.numbers[~which]
            self.dropped[reason] = self.dropped.get(reason, 0) + int(which.sum())


@dataclass(frozen=True)
class Build:
    """Prepares one source: called with the folder to fill, returns the report.

    name: what the user calls the source; content: its fingerprint; fraction: share of the rows that is held out.
    """

    encoder: Encoder
    name: str
    path: str
    content: str
    fraction: float

    @property
    def data(self) -> Mapping[str, Any]:
        """The settings of the data node."""
        return self.encoder.data

    def __call__(self, folder: Path) -> Report:
        """Write the parts `train` and `eval`, as far as they have rows, and account for what became of the rows."""
        started = time.perf_counter()
        rows = self._encode()
        self._check_ids(rows)
        if not self._joins(rows.form):
            self._shorten(rows)
        self._gate(rows)
        held_out = cut.held_out(len(rows.numbers), self.fraction, self.data["seed"])
        report: Report = {"format": rows.form.name}
        for part, mask in (("train", ~held_out), ("eval", held_out)):
            report[part] = self._save(folder / part, rows, mask) if mask.any() else None
        seconds = round(time.perf_counter() - started, 3)
        return report | {part: report[part] and report[part] | {"seconds": seconds} for part in ("train", "eval")}

    def _joins(self, form: Format) -> bool:
        return "block_size" in form.uses and self.data["block_size"] is not None

    def _encode(self) -> Encoded:
        """Encode every row. Raises ConfigError where any row is faulty or refused by the template."""
        try:
            form, batches = encode_all(self.encoder, self.name, self.path)
            done = list(batches)
        except Incompatible as reason:
            raise ConfigError(str(reason)) from None
        except NoChatTemplate:
            rule = "these rows are conversations, and the model's tokenizer has no chat template"
            raise ConfigError(self._say(rule, "give one with data.chat_template=FILE.jinja")) from None
        total = sum(batch.total for batch in done)
        wrong = [each for batch in done for each in batch.wrong]
        refused = [each for batch in done for each in batch.refused]
        problems = [summarise(self.name, self.path, wrong, total)]
        if self.data["unrenderable"] == "error":
            problems.append(summarise_refusals(self.name, self.path, refused, total))
        if told := [problem for problem in problems if problem]:
            raise ConfigError(*told)
        empty = sum(batch.empty for batch in done)
        flat = cut.join([batch.flat for batch in done])
        beside = [text for batch in done for text in batch.beside]
        numbers = np.array([number for batch in done for number in batch.numbers])
        left_out = dict(sum((batch.left_out for batch in done), Counter()))
        notes = dict(sum((batch.notes for batch in done), Counter()))
        example = self._shown(flat) if len(numbers) else ""
        dropped = {reason: rows for reason, rows in (("empty", empty), (_REFUSED, len(refused))) if rows}
        return Encoded(flat, beside, numbers, form, total, dropped, left_out, notes, example)

    def _check_ids(self, rows: Encoded) -> None:
        """Refuse texts in which the tokenizer finds tokens that the model lacks; rows of tokens were checked."""
        largest = self.data["largest_id"]
        if not len(rows.flat.input_ids) or int(rows.flat.input_ids.max()) <= largest:
            return
        places = np.flatnonzero(rows.flat.input_ids > largest)
        faulty = np.unique((np.searchsorted(rows.flat.offsets, places, side="right") - 1) // rows.group)
        wrong = [(int(rows.numbers[row]), f"the tokenizer gives ids beyond {largest:,}") for row in faulty]
        way_out = "the model's embedding ends there; use its own tokenizer, or enlarge the embedding"
        raise ConfigError(str(summarise(self.name, self.path, wrong, rows.rows_read, way_out)))

    def _shorten(self, rows: Encoded) -> None:
        """Truncate, drop or refuse the rows that are too long; drop those in which nothing is left to train."""
        limit, choice = self.data["max_seq_len"], self.data["too_long"]
        if choice == "error" or (choice == "truncate" and not rows.form.is_trained):
            self._refuse_long(rows, limit)
        rows.drop(~_trains(rows), "nothing trained")
        if choice == "drop":
            rows.drop(cut.largest(rows.flat.lengths, rows.group) > limit, "too long")
        rows.truncated = int((cut.largest(rows.flat.lengths, rows.group) > limit).sum())
        rows.flat = cut.truncate(rows.flat, limit)
        rows.drop(~_trains(rows), "nothing trained after truncation")

    def _refuse_long(self, rows: Encoded, limit: int) -> None:
        lengths = cut.largest(rows.flat.lengths, rows.group)
        wrong = [(int(rows.numbers[row]), f"{lengths[row]:,} tokens") for row in np.flatnonzero(lengths > limit)]
        ways = "truncate or drop" if rows.form.is_trained else "drop, as a prompt is not truncated"
        way_out = f"max_seq_len={limit}: raise it, or use data.too_long={ways}"
        if problem := summarise(self.name, self.path, wrong, rows.rows_read, way_out):
            raise ConfigError(problem)

    def _gate(self, rows: Encoded) -> None:
        """Refuse data in which nothing is trained, or all of it where only the assistant's words were asked for."""
        if not len(rows.numbers):
            reasons = ", ".join(f"{reason}: {count:,}" for reason, count in rows.dropped.items())
            nothing = "no token would be trained" if rows.form.is_trained else "no prompt is left"
            raise ConfigError(self._say(f"{nothing}, every row was dropped ({reasons}){rows.example}"))
        by_role = "train_on" in rows.form.uses
        if by_role and self.encoder.roles == {"assistant"} and (rows.flat.labels == rows.flat.input_ids).all():
            rule = f"every token would be trained, not only the assistant's{rows.example}"
            raise ConfigError(self._say(rule, "data.train_on=all if that is meant"))

    def _shown(self, flat: Flat) -> str:
        """The first row as text, its trained parts in brackets."""
        ids, labels = (values[: flat.offsets[1]] for values in (flat.input_ids, flat.labels))
        starts = np.flatnonzero(np.diff((labels != IGNORED).astype(np.int8), prepend=2))
        pieces = []
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
            piece = self.encoder.tokenizer.decode(ids[start:stop].tolist(), skip_special_tokens=False)
            pieces.append(f"[{piece}]" if labels[start] != IGNORED else piece)
        text = "".join(pieces)
        return f", e.g. with the trained parts in brackets: {text[:_SHOWN_CHARACTERS]!r}"

    def _save(self, folder: Path, rows: Encoded, which: NDArray[np.bool_]) -> Report:
        """Write one part and account for it."""
        flat = cut.select(rows.flat, np.repeat(which, rows.group))
        if self._joins(rows.form):
            flat = cut.blocks(flat, self.data["block_size"])
        flat.save(folder)
        if rows.beside:
            Beside.of(_chosen(rows.beside, which)).save(folder)
        return {
            "path": self.path,
            "format": rows.form.name,
            "fingerprint": self.content,
            "rows_read": rows.rows_read,
            "dropped": rows.dropped,
            "truncated": rows.truncated,
            "left_out": rows.left_out,
            "notes": rows.notes,
            "rows_kept": int(which.sum()),
        } | _sizes(flat, rows.group)

    def _say(self, rule: str, way_out: str = "") -> str:
        return fault(self.name, self.path, rule, way_out)


def _trains(rows: Encoded) -> NDArray[np.bool_]:
    """Whether anything is trained in a row, in all of its sides; prompts are trained by their answers."""
    if not rows.form.is_trained:
        return np.ones(len(rows.numbers), dtype=np.bool_)
    trained = rows.flat.trained.reshape(-1, rows.group)
    return np.asarray(trained.min(axis=1) > 0)


def _chosen(texts: list[str], which: NDArray[np.bool_]) -> list[str]:
    return [text for text, chosen in zip(texts, which, strict=False) if chosen]


def _sizes(flat: Flat, group: int) -> Report:
    lengths = cut.largest(flat.lengths, group)
    return {
        "rows": len(lengths),
        "tokens": len(flat.input_ids),
        "trained_tokens": int(flat.trained.sum()),
        "length": {
            "min": int(lengths.min()),
            "mean": round(float(lengths.mean()), 1),
            "median": float(np.median(lengths)),
            "p95": float(np.percentile(lengths, 95)),
            "max": int(lengths.max()),
        },
    }
