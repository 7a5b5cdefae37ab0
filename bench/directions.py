"""What osft may train: how much of what a matrix is fed lies in its weakest directions, and do two tasks differ there?

Also what continual.py needs to look inside: how far outputs have moved, and training in other directions.

    apt-get install dict-jargon
    python bench/directions.py --model FOLDER [--ratio 0.25] [--rows 16]

osft takes the directions with the smallest singular values of a matrix for those that earlier tasks do not use. Printed
for each kind of matrix, as the mean over layers: the share of the squared inputs on rows of GSM8K, and on rows of the
Jargon File, that lies in the weakest directions, and the share of as many random ones; how alike the inputs of the two
tasks are (cosine of their second moments), over all directions and over the weakest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jargon import definitions
from throughput import DATA


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--ratio", type=float, default=0.25, help="unfreeze_rank_ratio")
    parser.add_argument("--rows", type=int, default=16, help="of each task")
    options = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    gsm8k = list(map(json.loads, (DATA / "gsm8k_eval.jsonl").read_text().splitlines()[-options.rows :]))
    first, second = moments(model, tokenizer, gsm8k), moments(model, tokenizer, definitions()[-options.rows :])
    found: dict[str, list[list[float]]] = defaultdict(list)
    for name, layer in matrices(model):
        found[name.rpartition(".")[2]].append(measured(layer.weight.detach(), first[name], second[name], options.ratio))
    titles = ("GSM8K", "Jargon", "random", "alike: all", "weakest")
    print(f"{'':<12}" + "".join(f"{title:>12}" for title in titles))
    for kind, rows in found.items():
        print(f"{kind:<12}" + "".join(f"{statistics.fmean(column):>12.3f}" for column in zip(*rows, strict=True)))


def matrices(model: Any) -> Iterator[tuple[str, torch.nn.Linear]]:
    """The linear layers that osft splits: all but the head."""
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear) and layer is not model.get_output_embeddings():
            yield name, layer


@torch.no_grad()
def moments(model: Any, tokenizer: Any, rows: list[Any]) -> dict[str, torch.Tensor]:
    """Sum of x x^T over the inputs of each matrix, of conversations."""
    sums: dict[str, Any] = defaultdict(int)

    def add(name: str) -> Any:
        def hook(_layer: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            x = inputs[0].flatten(0, -2)
            sums[name] += x.T @ x

        return hook

    hooks = [layer.register_forward_pre_hook(add(name)) for name, layer in matrices(model)]
    for row in rows:
        model(tokenizer.apply_chat_template(row["messages"], return_tensors="pt", return_dict=True)["input_ids"])
    for each in hooks:
        each.remove()
    return dict(sums)


def measured(weight: torch.Tensor, first: torch.Tensor, second: torch.Tensor, ratio: float) -> list[float]:
    """Shares of the squared inputs in the weakest directions, of as many random ones; likeness in all and in these."""
    strongest_first = torch.linalg.svd(weight, full_matrices=False)[2]
    count = round(ratio * len(strongest_first))
    weakest = strongest_first[-count:]
    inside = [weakest @ each @ weakest.T for each in (first, second)]
    shares = [float(part.trace() / whole.trace()) for part, whole in zip(inside, (first, second), strict=True)]
    return [*shares, count / weight.shape[1], alike(first, second), alike(*inside)]


def now(layer: torch.nn.Linear) -> torch.Tensor:
    """The weight of a matrix, with what an adapter adds to it."""
    whole: Any = layer
    if hasattr(whole, "weight_now"):
        weight = whole.weight_now()
    elif hasattr(whole, "get_delta_weight"):
        weight = whole.base_layer.weight + whole.get_delta_weight("default")
    else:
        weight = whole.weight
    return weight.detach().float()


@torch.no_grad()
def moved(model: Any, before: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> float:
    """Relative change of the outputs of the matrices on the inputs of these moments, root mean square over them."""
    shares = []
    for name, layer in model.named_modules():
        key = name.removeprefix("base_model.model.")
        if key in before:
            change = now(layer) - before[key]
            size = ((before[key] @ inputs[key]) * before[key]).sum()
            shares.append(float(((change @ inputs[key]) * change).sum() / size))
    return statistics.fmean(shares) ** 0.5


@contextlib.contextmanager
def quiet_inputs_alone(inputs: dict[str, torch.Tensor], ratio: float) -> Iterator[None]:
    """Runs inside train matrices alone, and in these the directions alone that are weakest in the inputs."""
    from transformers import TrainerCallback

    from training_hub.workers.exact_steps.trainer import StepTrainer

    bases = {name: torch.linalg.eigh(each)[1][:, : round(ratio * len(each))] for name, each in inputs.items()}

    class Project(TrainerCallback):
        def on_train_begin(self, *_: Any, model: Any = None, **__: Any) -> None:
            self.before = {name: layer.weight.detach().clone() for name, layer in matrices(model)}

        @torch.no_grad()
        def on_optimizer_step(self, *_: Any, model: Any = None, **__: Any) -> None:
            for name, layer in matrices(model):
                before, basis = self.before[name], bases[name]
                layer.weight.copy_(before + (layer.weight - before) @ basis @ basis.T)

    train = StepTrainer.train

    def train_so(trainer: Any, *arguments: Any, **named: Any) -> Any:
        trainer.add_callback(Project())
        return train(trainer, *arguments, **named)

    StepTrainer.train = train_so  # type: ignore[method-assign]
    try:
        with matrices_alone():
            yield
    finally:
        StepTrainer.train = train  # type: ignore[method-assign]


@contextlib.contextmanager
def matrices_alone() -> Iterator[None]:
    """Whatever is no matrix between embeddings and head stays as it is in the runs inside."""
    from training_hub.workers import models

    load = models.load_model

    def frozen(*arguments: Any, **named: Any) -> Any:
        model = load(*arguments, **named)
        model.requires_grad_(False)
        for _name, layer in matrices(model):
            layer.requires_grad_(True)
        return model

    models.load_model = frozen
    try:
        yield
    finally:
        models.load_model = load


def alike(first: torch.Tensor, second: torch.Tensor) -> float:
    """Cosine between two matrices."""
    return float((first * second).sum() / (first.norm() * second.norm()))


if __name__ == "__main__":
    main()
