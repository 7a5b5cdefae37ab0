"""Prepared rows: token ids and labels in flat arrays, mapped from files instead of read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from training_hub.data import kept
from training_hub.data.labels import IGNORED

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


class Rows(Protocol):
    """Prepared rows, whatever they hold. Lengths are in tokens."""

    @property
    def tokens(self) -> TokenRows:
        """One or more rows for each."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Of the longest of its rows of tokens, for each."""

    @property
    def trained(self) -> NDArray[np.int64]:
        """Of all of its rows of tokens, for each."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


class TokenRows(Sequence[tuple[Ids, Ids]]):
    """The rows of a folder: rows[i] is (input_ids, labels), read-only views of equal length. Pickles as the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.folder,)

    @property
    def tokens(self) -> TokenRows:
        """Themselves."""
        return self

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
        self.tokens = TokenRows(folder)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.tokens.folder,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longer side of each pair, prompt included."""
        longer: NDArray[np.int64] = self.tokens.lengths.reshape(-1, 2).max(axis=1)
        return longer

    @property
    def trained(self) -> NDArray[np.int64]:
        """Tokens of both answers of each pair."""
        both: NDArray[np.int64] = self.tokens.trained.reshape(-1, 2).sum(axis=1)
        return both

    def __len__(self) -> int:
        return len(self.tokens) // 2

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        (chosen, chosen_labels), (rejected, rejected_labels) = self.tokens[2 * place], self.tokens[2 * place + 1]
        start = _shared(chosen, chosen_labels, rejected, rejected_labels)
        return Pair(chosen[:start], chosen[start : _stop(chosen_labels)], rejected[start : _stop(rejected_labels)])


class PromptRows(Sequence[dict[str, Any]]):
    """Prompts: rows[i] is a dict with the prompt under `prompt`, text or messages, and every further column as it came.

    A column that a row of the source lacks is None. tokens[i] is the prompt as the model gets it, through the beginning
    of the assistant's turn. Pickles as the path.
    """

    def __init__(self, folder: Path) -> None:
        self.tokens = TokenRows(folder)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.tokens.folder,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each prompt."""
        return self.tokens.lengths

    @property
    def trained(self) -> NDArray[np.int64]:
        """0 for each."""
        return self.tokens.trained

    @cached_property
    def columns(self) -> list[str]:
        """The names of all columns, `prompt` first."""
        names = (name for number in range(len(self)) for name in self._beside.row(number))
        return list(dict.fromkeys(names))

    @cached_property
    def _beside(self) -> Beside:
        return Beside.load(self.tokens.folder)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        found = self._beside.row(range(len(self))[index])
        return dict.fromkeys(self.columns) | found


class Beside(NamedTuple):
    """What is kept beside rows of tokens, as JSON texts end to end: row i is text[offsets[i]:offsets[i + 1]].

    text: uint8, UTF-8; offsets: int64, one more than there are rows.
    """

    text: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Beside:
        """Lay texts end to end."""
        found = [text.encode() for text in texts]
        offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(found), np.uint8), offsets)

    def row(self, number: int) -> dict[str, Any]:
        """The columns of a row."""
        start, end = self.offsets[number : number + 2]
        found: dict[str, Any] = kept.loads(self.text[start:end].tobytes().decode())
        return found

    def save(self, folder: Path) -> None:
        """Write the arrays to a folder that is there."""
        for name, values in self._asdict().items():
            np.save(folder / f"beside_{name}.npy", values)

    @classmethod
    def load(cls, folder: Path) -> Beside:
        """Map the arrays of a folder into memory."""
        return cls(*(np.load(folder / f"beside_{name}.npy", mmap_mode="r") for name in cls._fields))


def _shared(chosen: Ids, chosen_labels: Ids, rejected: Ids, rejected_labels: Ids) -> int:
    """Tokens before either answer begins: less where a token of the prompt merged with the answer."""
    starts = [int(np.argmax(labels != IGNORED)) for labels in (chosen_labels, rejected_labels)]
    start = min(starts)
    differ = np.flatnonzero(chosen[:start] != rejected[:start])
    return int(differ[0]) if len(differ) else start


def _stop(labels: Ids) -> int:
    return int(np.flatnonzero(labels != IGNORED)[-1]) + 1
