"""TRL's DPOTrainer with exact steps: see `PreferenceTrainer`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from training_hub.data.rows import Pair
from training_hub.workers.exact_steps import batches
from training_hub.workers.exact_steps.last_update import Seen
from training_hub.workers.exact_steps.steps import Steps

Numbered = tuple[int, Pair]
_CHUNK = 512  # pairs that are sorted by length and split at a time


class NumberedPairs(Sequence[Numbered]):
    """Pairs with their numbers, by which the reference knows them."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: Any) -> Any:
        return index, self.pairs[index]


class Alone:
    """An accelerator without its exchanges: the ranks have different numbers of micro-batches."""

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)

    def gather(self, values: Any) -> Any:
        """This rank's."""
        return values

    gather_for_metrics = gather


class PreferenceTrainer(Steps, DPOTrainer):
    """The loss of a step is the sum of the losses of its pairs, as TRL computes them, by their number.

    The reference is the model as it is before training. What it thinks of the pairs is computed once, at the start,
    with the very weights that are then trained: no second model is held, with an adapter or without.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pad = DataCollatorForPreference(pad_token_id=int(self._tokenizer.pad_token_id))
        self._reference: dict[str, Any] = {}
        self._seen: list[torch.Tensor] = []

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """Nothing: the pairs are tokens already."""
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
        """Not here: see `train`."""
        return dataset

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Ask the reference, then train."""
        began = time.monotonic()
        self._reference["train"] = self.ask_reference(self.rows, sorted(set(self._visited())))
        self.progress.final["reference_seconds"] = time.monotonic() - began
        if self.eval_rows is not None:
            self._reference["eval"] = self.ask_reference(self.eval_rows, range(len(self.eval_rows)))
        return super().train(*args, **kwargs)

    def _visited(self) -> Iterator[int]:
        """Numbers of the pairs of all steps."""
        sampler = batches.StepSampler(len(self.rows), self.batch_size, self.args.seed)
        left = self.total_steps()
        for epoch in range(-(-left // len(sampler))):
            sampler.set_epoch(epoch)
            for numbers in islice(sampler, left):
                yield from numbers
            left -= len(sampler)

    @torch.no_grad()
    def ask_reference(self, rows: Sequence[Numbered], numbers: Sequence[int]) -> Any:
        """Log-probabilities of both answers of each pair, array of shape (all pairs, 2); 0 where not asked for."""
        self.model.eval()
        logps = torch.zeros(len(rows), 2, device=self.args.device, dtype=torch.float64)
        for group in self._groups(rows, numbers):
            inputs = self._prepare_inputs(self._pad([_example(pair) for _, pair in group]))
            answers = self.compute_ref_log_probs(self.model, inputs)  # type: ignore[no-untyped-call]
            logps[[number for number, _ in group]] = torch.stack(answers, dim=1).double()
        return self.accelerator.reduce(logps, "sum").float().cpu().numpy()

    def _groups(self, rows: Sequence[Numbered], numbers: Sequence[int]) -> Iterator[list[Numbered]]:
        """This rank's share of the pairs, in groups that fit."""
        mine = numbers[self.accelerator.process_index :: self.accelerator.num_processes]
        for start in range(0, len(mine), _CHUNK):
            yield from self._split([rows[number] for number in mine[start : start + _CHUNK]])

    def _split(self, pairs: Sequence[Numbered]) -> list[list[Numbered]]:
        groups = batches.split([2 * _longest(pair) for _, pair in pairs], self.max_tokens, packed=False)
        return [[pairs[index] for index in group] for group in groups]

    def collate(self, rows: list[Numbered]) -> dict[str, Any]:
        """One step of this rank from the pairs of all ranks."""
        ordered = sorted(rows, key=lambda row: _longest(row[1]), reverse=True)
        mine = ordered[self.accelerator.process_index :: self.accelerator.num_processes]
        # A rank without a pair still has to take part in the exchange of gradients: one pair that counts nothing.
        micro_batches = [self._micro_batch("train", group) for group in self._split(mine or ordered[:1])]
        if not mine:
            micro_batches[0]["pairs"] = 0
        pairs = [pair for _, pair in rows]
        return {
            "micro_batches": micro_batches,
            "samples": len(pairs),
            "tokens": sum(2 * len(pair.prompt) + len(pair.chosen) + len(pair.rejected) for pair in pairs),
            "trained": sum(len(pair.chosen) + len(pair.rejected) for pair in pairs),
            "units": len(pairs),
        }

    def _micro_batch(self, which: str, group: list[Numbered]) -> dict[str, Any]:
        """Tensors as TRL's DPOTrainer wants them: the chosen answers, below them the rejected ones."""
        known = self._reference[which]
        examples = [
            _example(pair, ref_chosen_logps=known[number, 0], ref_rejected_logps=known[number, 1])
            for number, pair in group
        ]
        return {"inputs": self._pad(examples), "pairs": len(group)}

    def micro_loss(self, model: torch.nn.Module, micro_batch: dict[str, Any]) -> torch.Tensor:
        """Sum of the losses of the pairs of a micro-batch; what it says of them is noted for `_sums`."""
        inputs, pairs = self._prepare_inputs(micro_batch["inputs"]), micro_batch["pairs"]
        said: list[Any] = []

        def heard(**kwargs: Any) -> Any:
            said.append(model(**kwargs))
            return said[0]

        with self._alone(), self.accelerator.autocast():
            mean = self._compute_loss(heard, inputs, return_outputs=False)  # type: ignore[no-untyped-call]
        self._metrics["train"].clear()
        self._metrics["eval"].clear()
        if pairs:
            logps = said[0].log_probs.detach().sum(dim=1).chunk(2)
            reference = (inputs["ref_chosen_logps"], inputs["ref_rejected_logps"])
            self._seen.append(torch.stack([*logps, *reference], dim=1))
        loss: torch.Tensor = mean * pairs
        return loss

    def look_again(self, micro_batch: dict[str, Any]) -> Seen:
        """The loss of the pairs, and the cross-entropy of the chosen answers, now and by the reference."""
        training, self._seen = self._seen, []
        loss = self.micro_loss(self.model, micro_batch).detach()
        chosen, _, ref_chosen, _ = (torch.cat(self._seen) if self._seen else loss.new_zeros(1, 4)).sum(dim=0)
        self._seen = training
        pairs = micro_batch["pairs"]
        tokens = micro_batch["inputs"]["completion_mask"][:pairs].sum().to(loss.device)
        return Seen(loss, loss.new_tensor(pairs), -chosen, tokens, -ref_chosen)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nothing is exchanged with other ranks inside."""
        kept, self.accelerator = self.accelerator, Alone(self.accelerator)
        try:
            yield
        finally:
            self.accelerator = kept

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """A step; what it says of its pairs is added to the next row of metrics."""
        loss = super().training_step(*args, **kwargs)
        self.progress.further.add(*self._sums())
        return loss

    def _sums(self) -> tuple[dict[str, torch.Tensor], int]:
        """Sums over the pairs of this rank since the last call, and how many they were.

        rewards/accuracies: share in which training has moved the answers apart in the right direction, a tie counting
        half; rewards/margins: by how much, beta times nats; preferred: share in which the chosen answer is the more
        likely one.
        """
        seen = torch.cat(self._seen) if self._seen else torch.zeros(0, 4, device=self.args.device)
        self._seen.clear()
        chosen, rejected, ref_chosen, ref_rejected = seen.double().unbind(dim=1)
        margin = self.beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
        right = (margin > 0) + 0.5 * (margin == 0)
        each = {"rewards/accuracies": right, "rewards/margins": margin, "preferred": (chosen > rejected).double()}
        return {name: values.sum() for name, values in each.items()}, len(margin)

    @torch.no_grad()
    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Means over the held-out pairs, exact: the loss, and what `_sums` adds up."""
        training, self._seen = self._seen, []
        rows = self.eval_rows or []
        self.model.eval()
        loss = torch.zeros((), device=self.args.device, dtype=torch.float64)
        for group in self._groups(rows, range(len(rows))):
            loss += self.micro_loss(self.model, self._micro_batch("eval", group))
        further, pairs = self._sums()
        self._seen = training
        sums = torch.stack([loss, *further.values(), loss.new_tensor(pairs)])
        *means, _ = (reduced := self.accelerator.reduce(sums, "sum")) / reduced[-1].clamp(min=1)
        names = (f"{metric_key_prefix}_{name}" for name in ("loss", *further))
        metrics = dict(zip(names, map(float, means), strict=True))
        self.tell(metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep for the result what was measured on the held-out pairs, before training and after."""
        when = "after" if self.state.global_step else "before"
        for name, kept in (("rewards/accuracies", "accuracy"), ("rewards/margins", "margin"), ("preferred",) * 2):
            if f"eval_{name}" in logs:
                self.progress.final[f"eval_{kept}_{when}"] = logs[f"eval_{name}"]
        super().log(logs, start_time)


def _longest(pair: Pair) -> int:
    """Tokens of the longer side."""
    return len(pair.prompt) + max(len(pair.chosen), len(pair.rejected))


def _example(pair: Pair, **known: Any) -> dict[str, Any]:
    return {f"{name}_ids": np.asarray(ids).tolist() for name, ids in pair._asdict().items()} | known
