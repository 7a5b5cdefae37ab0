"""Exact steps whose loss is over tokens: see `TokenSteps`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from training_hub.workers.exact_steps import batches
from training_hub.workers.exact_steps.last_update import Seen
from training_hub.workers.exact_steps.steps import Steps


class TokenSteps(Steps):
    """The loss of a step is the sum of its token losses by the number of its trained tokens.

    packed: rows are laid end to end; that changes the loss of no row.
    """

    def __init__(self, *args: Any, packed: bool, **kwargs: Any) -> None:
        self.packed = packed
        super().__init__(*args, **kwargs)

    def collate(self, rows: list[batches.Row]) -> dict[str, Any]:
        """One step of this rank from the rows of all ranks."""
        return batches.step(
            rows, self.accelerator.process_index, self.accelerator.num_processes, self.max_tokens, self.packed
        )

    def look_again(self, micro_batch: dict[str, Any]) -> Seen:
        """The loss is the cross-entropy."""
        loss = self.micro_loss(self.model, micro_batch).detach()
        tokens = loss.new_tensor(len(micro_batch["targets"]))
        return Seen(loss, tokens, loss, tokens, tokens * self.progress.began_at())

    @torch.no_grad()
    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Mean loss per trained token over the held-out rows, exact: sums over all ranks."""
        sums = torch.zeros(2, device=self.args.device, dtype=torch.float64)
        self.model.eval()
        for micro_batch in self._eval_batches():
            sums[0] += self.micro_loss(self.model, micro_batch)
            sums[1] += len(micro_batch["targets"])
        loss, tokens = self.accelerator.reduce(sums, "sum").tolist()
        metrics = {f"{metric_key_prefix}_loss": loss / max(1, tokens)}
        self.tell(metrics)
        return metrics

    def _eval_batches(self) -> Iterator[dict[str, Any]]:
        rows = batches.share(self.eval_rows or [], self.accelerator.process_index, self.accelerator.num_processes)
        yield from batches.micro_batches(rows, self.max_tokens, self.packed)
