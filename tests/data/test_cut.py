"""Array work on rows of tokens."""

from __future__ import annotations

import numpy as np

from training_hub.data import cut
from training_hub.data.rows import Flat

ROWS = [[1, 2, 3], [4], [5, 6]]


def flat(rows: list[list[int]]) -> Flat:
    ids = np.array([token for row in rows for token in row], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, rows)])
    return Flat(ids, np.where(ids % 2 == 0, ids, -100).astype(np.int32), offsets)


def rows(flat: Flat) -> list[list[int]]:
    return [flat.input_ids[start:end].tolist() for start, end in zip(flat.offsets, flat.offsets[1:], strict=False)]


def test_rows_are_selected_whole() -> None:
    assert rows(cut.select(flat(ROWS), np.array([True, False, True]))) == [[1, 2, 3], [5, 6]]
    assert rows(cut.select(flat(ROWS), np.array([False] * 3))) == []


def test_rows_are_truncated_at_their_end() -> None:
    assert rows(cut.truncate(flat(ROWS), 2)) == [[1, 2], [4], [5, 6]]
    assert rows(cut.truncate(flat(ROWS), 9)) == ROWS


def test_blocks_lose_no_token() -> None:
    assert rows(cut.blocks(flat(ROWS), 4)) == [[1, 2, 3, 4], [5, 6]]
    assert rows(cut.blocks(flat(ROWS), 3)) == [[1, 2, 3], [4, 5, 6]]


def test_trained_tokens_are_counted_by_row() -> None:
    assert flat(ROWS).trained.tolist() == [1, 1, 1]
    assert flat([[1], [2, 4], [3]]).trained.tolist() == [0, 2, 0]


def test_parts_are_joined_in_order() -> None:
    assert rows(cut.join([flat(ROWS[:1]), flat([]), flat(ROWS[1:])])) == ROWS


def test_the_longer_side_of_a_pair_counts() -> None:
    assert cut.largest(np.array([3, 5, 2, 1]), 2).tolist() == [5, 2]


def test_as_many_are_held_out_as_asked_for() -> None:
    assert cut.held_out(10, 0.25, seed=3).sum() == 2
    assert not cut.held_out(10, 0.0, seed=3).any()
    assert (cut.held_out(10, 0.5, seed=3) == cut.held_out(10, 0.5, seed=3)).all()
    assert (cut.held_out(10, 0.5, seed=3) != cut.held_out(10, 0.5, seed=4)).any()
