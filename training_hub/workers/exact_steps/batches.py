"""From rows to optimizer steps: order, each rank's share, micro-batches.

A row is a pair (input_ids, labels) of int32 arrays of one length; labels are -100 where nothing is trained. A batch of
the loader is one optimizer step: every process reads all rows of the step, counts the trained tokens, and keeps its
share. So the denominator of the loss is known everywhere without communication.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

IGNORED = -100
Row = tuple[Any, Any]


class StepSampler:
    """Row numbers of each optimizer step of an epoch: a seeded permutation, the same for every number of ranks.

    The last step of an epoch has the rows that are left.
    """

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; called by the trainer before each epoch, also after a resumption."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order: list[int] = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows).tolist()
        for start in range(0, self.rows, self.batch_size):
            yield order[start : start + self.batch_size]


class StepLoader(DataLoader[Any]):
    """Loads one optimizer step at a time; see `step`."""

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the sampler."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


def step(rows: Sequence[Row], rank: int, world_size: int, max_tokens: int, packed: bool) -> dict[str, Any]:
    """One optimizer step of one rank.

    rows: those of all ranks. Returns micro_batches (see `packed_batch`), and over all ranks: samples, tokens,
    trained, the number of predicted tokens, and units, what the loss is the mean over: the same.
    """
    mine = share(rows, rank, world_size)
    # A rank without a row still has to take part in the exchange of gradients: one row, nothing of it trained.
    mine = mine or [(rows[0][0], np.full_like(rows[0][1], IGNORED))]
    trained = sum(predicted(labels) for _, labels in rows)
    return {
        "micro_batches": micro_batches(mine, max_tokens, packed),
        "samples": len(rows),
        "tokens": sum(len(ids) for ids, _ in rows),
        "trained": trained,
        "units": trained,
    }


def share(rows: Sequence[Row], rank: int, world_size: int) -> list[Row]:
    """The rows of one rank: dealt out by length, so that all ranks have about the same work."""
    return sorted(rows, key=lambda row: len(row[0]), reverse=True)[rank::world_size]


def micro_batches(rows: Sequence[Row], max_tokens: int, packed: bool) -> list[dict[str, Any]]:
    """Tensors for the model, at most max_tokens (padding included) in each; a longer row goes alone."""
    layout = packed_batch if packed else padded_batch
    groups = split([len(ids) for ids, _ in rows], max_tokens, packed)
    return [layout([rows[index] for index in group]) for group in groups]


def predicted(labels: Any) -> int:
    """Number of tokens that a row trains; the first token of a row is never predicted."""
    return int((labels[1:] != IGNORED).sum())


def split(lengths: Sequence[int], max_tokens: int, packed: bool) -> list[list[int]]:
    """Group indices so that no group holds more than max_tokens; the longest first, each in the first group that fits.

    Packed rows cost their own length, padded rows the longest length of their group.
    """
    groups: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        length = lengths[index]
        for number, group in enumerate(groups):
            cost = length if packed else lengths[group[0]]
            if cost <= room[number]:
                group.append(index)
                room[number] -= cost
                break
        else:
            groups.append([index])
            room.append(max_tokens - length)
    return groups


def packed_batch(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows end to end in one: input_ids and position_ids of shape (1, tokens), positions restarting with each row.

    keep: flat positions whose next token is trained, targets: these tokens, both of shape (trained,), int64.
    lengths: of the rows, a tuple.
    """
    ids = torch.from_numpy(np.concatenate([ids for ids, _ in rows]).astype(np.int64))
    positions = torch.cat([torch.arange(len(ids)) for ids, _ in rows])
    labels = np.concatenate([_next_labels(labels) for _, labels in rows])
    inputs = {"input_ids": ids[None], "position_ids": positions[None]}
    return {"inputs": inputs, **_targets(labels), "lengths": tuple(len(ids) for ids, _ in rows)}


def padded_batch(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows below each other: input_ids and attention_mask of shape (rows, longest), padded on the right.

    keep and targets as in `packed_batch`.
    """
    longest = max(len(ids) for ids, _ in rows)
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros((len(rows), longest), np.int64)
    following = np.full((len(rows), longest), IGNORED, np.int64)
    for number, (row, labels) in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
        following[number, : len(row)] = _next_labels(labels)
    inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    return {"inputs": inputs, **_targets(following.reshape(-1)), "lengths": None}


def _next_labels(labels: Any) -> Any:
    """Labels moved one to the left: what each position has to predict; nothing at the last."""
    return np.append(labels[1:], IGNORED).astype(np.int64)


def _targets(following: Any) -> dict[str, torch.Tensor]:
    keep = np.flatnonzero(following != IGNORED)
    return {"keep": torch.from_numpy(keep), "targets": torch.from_numpy(following[keep])}
