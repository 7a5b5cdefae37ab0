"""Prepared rows: token ids and labels in flat arrays, mapped from files instead of read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

IGNORED = -100  # label of a token that carries no loss

Ids = NDArray[np.int32]
_NAMES = ("input_ids", "labels", "offsets")


class Flat(NamedTuple):
    """Rows end to end: row i is input_ids[offsets[i]:offsets[i + 1]].

    input_ids, labels: int32 of the same length; offsets: int64, one more than there are rows. labels[j] is
    input_ids[j] where the token is trained, else -100: not shifted.
    """

    input_ids: Ids
    labels: Ids
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each row."""
        return np.diff(self.offsets)

    @property
    def trained(self) -> NDArray[np.int64]:
        """Trained tokens in each row."""
        before = np.concatenate([[0], np.cumsum(self.labels != IGNORED, dtype=np.int64)])
        return np.diff(before[self.offsets])

    def save(self, folder: Path) -> None:
        """Write the three arrays to a folder, which is made."""
        folder.mkdir(parents=True)
        for name in _NAMES:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path) -> Flat:
        """Map the arrays of a folder into memory."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in _NAMES))


class TokenRows(Sequence[tuple[Ids, Ids]]):
    """The rows of a folder: rows[i] is (input_ids, labels), read-only views of equal length. Pickles as the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.folder,)

    @cached_property
    def flat(self) -> Flat:
        """The arrays that the rows are views of."""
        return Flat.load(self.folder)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each row."""
        return self.flat.lengths

    @cached_property
    def trained(self) -> NDArray[np.int64]:
        """Trained tokens in each row."""
        return self.flat.trained

    def __len__(self) -> int:
        return len(self.flat.offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        start, end = self.flat.offsets[place : place + 2]
        return self.flat.input_ids[start:end], self.flat.labels[start:end]


class Pair(NamedTuple):
    """Token ids of a prompt and of the two answers that follow it; the answers end with their end-of-turn token."""

    prompt: Ids
    chosen: Ids
    rejected: Ids


class PreferenceRows(Sequence[Pair]):
    """Preference pairs: rows[i] is (prompt, chosen, rejected) as int32 token ids. Pickles as the path.

    On disk a pair is two rows, prompt with chosen and prompt with rejected, whose labels mark the answer.
    """

    def __init__(self, folder: Path) -> None:
        self.sides = TokenRows(folder)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.sides.folder,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longer side of each pair, prompt included."""
        longer: NDArray[np.int64] = self.sides.lengths.reshape(-1, 2).max(axis=1)
        return longer

    @property
    def trained(self) -> NDArray[np.int64]:
        """Tokens of both answers of each pair."""
        both: NDArray[np.int64] = self.sides.trained.reshape(-1, 2).sum(axis=1)
        return both

    def __len__(self) -> int:
        return len(self.sides) // 2

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        (chosen, chosen_labels), (rejected, rejected_labels) = self.sides[2 * place], self.sides[2 * place + 1]
        start = _shared(chosen, chosen_labels, rejected, rejected_labels)
        return Pair(chosen[:start], chosen[start : _stop(chosen_labels)], rejected[start : _stop(rejected_labels)])


def _shared(chosen: Ids, chosen_labels: Ids, rejected: Ids, rejected_labels: Ids) -> int:
    """Tokens before either answer begins: less where a token of the prompt merged with the answer."""
    starts = [int(np.argmax(labels != IGNORED)) for labels in (chosen_labels, rejected_labels)]
    start = min(starts)
    differ = np.flatnonzero(chosen[:start] != rejected[:start])
    return int(differ[0]) if len(differ) else start


def _stop(labels: Ids) -> int:
    return int(np.flatnonzero(labels != IGNORED)[-1]) + 1
