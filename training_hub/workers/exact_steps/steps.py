"""Exact steps for TRL's trainers: see `Steps`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel

from training_hub.run import RunDir
from training_hub.workers.exact_steps import batches, last_update
from training_hub.workers.exact_steps.last_update import Seen
from training_hub.workers.loop.trainer import RunTrainer


class Steps(RunTrainer):
    """A trainer whose optimizer step is one batch of rows, however it is split; stands before a trainer of TRL's.

    What Trainer calls a batch is a whole step here; the split into micro-batches happens inside `training_step`. The
    loss of a step is a sum over all ranks by a number that all ranks know, so that value and gradient depend neither
    on the split nor on the number of ranks.

    A subclass says what a step is (`collate`: micro_batches of this rank; samples, tokens, trained and units, the
    number of things that the loss is the mean over, of all ranks) and what the loss of a micro-batch is (`micro_loss`:
    the sum over its units).
    """

    trained_last: tuple[dict[str, Any], torch.Tensor] | None = None  # the last micro-batch of this rank, and its loss

    def __init__(
        self,
        model: PreTrainedModel,
        args: Any,
        run: RunDir,
        rows: Sequence[Any],
        eval_rows: Sequence[Any] | None,
        batch_size: int,
        max_tokens: int,
        **kwargs: Any,
    ) -> None:
        self.rows, self.eval_rows = rows, eval_rows
        self.batch_size, self.max_tokens = batch_size, max_tokens
        super().__init__(
            model=model,
            args=args,
            data_collator=self.collate,
            train_dataset=_row_numbers(rows),
            eval_dataset=_row_numbers(eval_rows) if eval_rows is not None else None,
            **kwargs,
        )
        self.belong_to(run)

    def collate(self, rows: list[Any]) -> dict[str, Any]:
        """One step of this rank from the rows of all ranks."""
        raise NotImplementedError

    def micro_loss(self, model: torch.nn.Module, micro_batch: dict[str, Any]) -> torch.Tensor:
        """Sum of the losses of a micro-batch."""
        raise NotImplementedError

    def look_again(self, micro_batch: dict[str, Any]) -> Seen:
        """What the model as it is now makes of a micro-batch that it was trained on; called without gradients."""
        raise NotImplementedError

    def get_train_dataloader(self) -> batches.StepLoader:
        """One batch per optimizer step."""
        return batches.StepLoader(
            self.rows,  # type: ignore[arg-type]
            batch_sampler=batches.StepSampler(len(self.rows), self.batch_size, self.args.seed),
            collate_fn=self.collate,
        )

    def training_step(self, model: torch.nn.Module, step: dict[str, Any], _items: Any = None) -> torch.Tensor:
        """Forward and backward of one optimizer step; returns its loss, scaled so that the mean over ranks is exact."""
        model.train()
        ranks = self.accelerator.num_processes
        scale = ranks / max(1, step["units"])  # DistributedDataParallel averages the gradients over the ranks
        total = torch.zeros((), device=self.args.device)
        micro_batches = step["micro_batches"]
        for number, micro_batch in enumerate(micro_batches, 1):
            with self._exchange(model, number == len(micro_batches)), self.maybe_activation_offload_context:
                loss = self.micro_loss(model, micro_batch)
                self.accelerator.backward(loss * scale)
            total += loss.detach()
        self.trained_last = micro_batch, loss.detach()
        self.complete_gradients()
        self.progress.add(step, total)
        scaled: torch.Tensor = total * scale
        return scaled

    def _exchange(self, model: torch.nn.Module, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Gradients travel between the ranks with the last micro-batch alone."""
        return contextlib.nullcontext() if last else self.accelerator.no_sync(model)

    def verify(self) -> list[str]:
        """Look once more at the last micro-batch that was trained."""
        return last_update.check(self)

    def tell(self, metrics: dict[str, float]) -> None:
        """Pass the results of an evaluation on to everybody who waits for them."""
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Pass on what the trainer logs, with the exact loss, and write it to the run."""
        if "loss" in logs:
            self.progress.write_loss(self.state, logs)
        elif "eval_loss" in logs:
            self.progress.write_eval(self.state, logs)
        else:
            self.progress.write_further(self.state, logs)
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Work of a step on one rank, 6 operations per parameter and token."""
        return int(6 * self.model.num_parameters() * inputs["tokens"] / self.accelerator.num_processes)


def _row_numbers(rows: Sequence[Any]) -> Dataset:
    """What TRL wants to see: a datasets.Dataset. The tokens themselves are read by `StepLoader`."""
    return Dataset.from_dict({"row": range(len(rows))})
