"""How rows become steps, shares and micro-batches."""

from __future__ import annotations

from itertools import chain

import pytest

pytestmark = pytest.mark.needs("torch", "numpy")
np = pytest.importorskip("numpy")
batches = pytest.importorskip("training_hub.workers.exact_steps.batches")

LENGTHS = [7, 3, 12, 5, 5, 9, 2]


def row(length: int, first: int = 0) -> tuple[object, object]:
    """A row whose second half is trained."""
    ids = np.arange(first, first + length, dtype=np.int32)
    return ids, np.where(np.arange(length) < length // 2, -100, ids).astype(np.int32)


def test_an_epoch_has_every_row_once_and_the_last_step_what_is_left() -> None:
    steps = list(batches.StepSampler(10, 4, seed=1))
    assert [len(step) for step in steps] == [4, 4, 2]
    assert sorted(chain(*steps)) == list(range(10))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    first, again, other = (batches.StepSampler(50, 50, seed) for seed in (1, 1, 2))
    assert list(first) == list(again) != list(other)
    again.set_epoch(1)
    assert list(first) != list(again)


@pytest.mark.parametrize("packed", [True, False])
def test_no_group_is_over_the_limit_and_no_row_is_lost(packed: bool) -> None:
    groups = batches.split(LENGTHS, 14, packed)
    assert sorted(chain(*groups)) == list(range(len(LENGTHS)))
    for group in groups:
        lengths = [LENGTHS[index] for index in group]
        assert (sum(lengths) if packed else max(lengths) * len(lengths)) <= 14


def test_a_row_over_the_limit_goes_alone() -> None:
    assert [2] in batches.split(LENGTHS, 8, packed=True)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 16])
def test_the_shares_of_all_ranks_are_the_step(world_size: int) -> None:
    rows = [row(length, 100 * length) for length in LENGTHS]
    steps = [batches.step(rows, rank, world_size, 14, packed=True) for rank in range(world_size)]
    targets = sum(len(batch["targets"]) for step in steps for batch in step["micro_batches"])
    assert {(step["samples"], step["tokens"], step["trained"]) for step in steps} == {(7, sum(LENGTHS), targets)}


def test_a_rank_without_rows_gets_a_batch_that_trains_nothing() -> None:
    [batch] = batches.step([row(6)], rank=1, world_size=2, max_tokens=8, packed=True)["micro_batches"]
    assert batch["inputs"]["input_ids"].shape == (1, 6)
    assert len(batch["targets"]) == 0


def test_the_first_token_of_a_row_is_never_predicted() -> None:
    ids = np.arange(5, dtype=np.int32)
    packed = batches.packed_batch([(ids, ids), (ids, ids)])
    assert packed["targets"].tolist() == [1, 2, 3, 4] * 2
    assert packed["keep"].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert packed["inputs"]["position_ids"].tolist() == [[0, 1, 2, 3, 4] * 2]
    assert batches.predicted(ids) == 4
