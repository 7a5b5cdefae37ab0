"""Cut, drop, join and split rows of tokens: plain array work on rows that are already encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_hub.data.rows import Flat

Mask = NDArray[np.bool_]


def select(flat: Flat, keep: Mask) -> Flat:
    """The rows where `keep` (one entry per row) is true."""
    tokens = np.repeat(keep, flat.lengths)
    return Flat(flat.input_ids[tokens], flat.labels[tokens], _offsets(flat.lengths[keep]))


def truncate(flat: Flat, max_seq_len: int) -> Flat:
    """Every row cut after max_seq_len tokens."""
    place = np.arange(len(flat.input_ids)) - np.repeat(flat.offsets[:-1], flat.lengths)
    tokens = place < max_seq_len
    return Flat(flat.input_ids[tokens], flat.labels[tokens], _offsets(np.minimum(flat.lengths, max_seq_len)))


def blocks(flat: Flat, block_size: int) -> Flat:
    """All rows joined and cut into blocks of block_size tokens; the last one may be shorter."""
    total = len(flat.input_ids)
    return flat._replace(offsets=np.append(np.arange(0, total, block_size, dtype=np.int64), total))


def largest(values: NDArray[Any], group: int) -> NDArray[Any]:
    """The largest value of each group of rows that belong together (2 for preference pairs)."""
    result: NDArray[Any] = values.reshape(-1, group).max(axis=1)
    return result


def held_out(units: int, fraction: float, seed: int) -> Mask:
    """A seeded choice of round(units * fraction) units, one entry per unit."""
    chosen = np.zeros(units, dtype=np.bool_)
    chosen[np.random.default_rng(seed).permutation(units)[: round(units * fraction)]] = True
    return chosen


def join(parts: list[Flat]) -> Flat:
    """Lay several arrays of rows end to end."""
    lengths = np.concatenate([part.lengths for part in parts])
    return Flat(
        np.concatenate([part.input_ids for part in parts]),
        np.concatenate([part.labels for part in parts]),
        _offsets(lengths),
    )


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])
