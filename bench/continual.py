"""One task after the other: how much of the first does each algorithm forget while it learns the second?

    apt-get install dict-jargon
    python bench/continual.py --model outputs/models/smollm2-135m-instruct [--steps 32] [--only NAME ...]

Task A is GSM8K: sft learns it once, and all contenders go on from that model. Task B is to explain words as the Jargon
File does (4.4.7, in the public domain, from the Debian package dict-jargon). Every contender trains on B with each of
its learning rates, by the config and the code of the command line, in this process; at every evaluation the loss on
held-out rows of both tasks is measured, and how far the outputs of the matrices have moved on the inputs of either.
Contenders are compared where they are equally good at B: at the lowest loss on B that all of them reach. Printed: the
loss on A there, and how much it has risen since B began.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch is imported, as the worker has it

from directions import matrices, matrices_alone, moments, moved, quiet_inputs_alone
from jargon import definitions
from throughput import DATA

# sft of what lora_sft and osft train as well: all but embeddings, head and norms.
MATRICES = "sft, matrices"
# sft of the same, in a quarter of the directions: those that are weakest in what the matrices are fed on rows of A.
QUIET = "sft, quiet inputs"
# Label -> what is typed beside model and data, and the learning rates to try.
CONTENDERS: dict[str, tuple[list[str], list[str]]] = {
    "sft": (["algorithm=sft"], ["1e-4", "5e-5"]),
    MATRICES: (["algorithm=sft"], ["1e-4", "5e-5"]),
    QUIET: (["algorithm=sft"], ["2e-4", "1e-4"]),
    "lora_sft": (["algorithm=lora_sft"], ["1e-3", "5e-4"]),
    "osft 0.25": (["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.25"], ["1e-4", "5e-5"]),
}
BATCH, RATIO = 4, 0.25


@dataclass(frozen=True)
class Point:
    """After so many steps on B: held-out losses, nats per trained token, and relative changes of outputs."""

    step: int
    a: float
    b: float
    moved_a: float
    moved_b: float


@dataclass(frozen=True)
class Inside:
    """Of the model that has learnt A, for each matrix: its weight, and the moments of its inputs."""

    before: dict[str, Any]
    learnt: dict[str, Any]  # on rows that A was learnt from
    on_a: dict[str, Any]  # on held-out rows
    on_b: dict[str, Any]


def main() -> None:
    """Measure and print."""
    options = parse()
    began = time.monotonic()
    curves: dict[tuple[str, str], list[Point]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, options)
        learn_first(folder, options)
        inside = look_inside(folder)
        print(f"A learnt after {time.monotonic() - began:.0f} s\n", flush=True)
        for label, (words, rates) in CONTENDERS.items():
            for rate in rates[: options.rates] if not options.only or label in options.only else ():
                with limits(label, inside):
                    curves[label, rate] = learn_second(folder, [*words, f"lr={rate}"], options, inside)
                show_curve(f"{label}, lr={rate}, {time.monotonic() - began:.0f} s", curves[label, rate])
    show(curves)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=256, help="of task A")
    parser.add_argument("--epochs", type=int, default=2, help="over task A")
    parser.add_argument("--steps", type=int, default=32, help=f"on task B, of {BATCH} rows each")
    parser.add_argument("--every", type=int, default=8, help="steps between two evaluations")
    parser.add_argument("--held-out", type=int, default=16, help="rows of each task")
    parser.add_argument("--rates", type=int, default=2, help="learning rates to try of each contender")
    parser.add_argument("--only", nargs="*", default=[])
    return parser.parse_args()


def lay_out(folder: Path, options: argparse.Namespace) -> None:
    """Write the rows to train on and those to evaluate on, of both tasks."""
    first = [(DATA / f"gsm8k_{name}.jsonl").read_text().splitlines() for name in ("train", "eval")]
    second = [json.dumps(row) for row in definitions()]
    parts = {
        "a_train": first[0][: options.rows], "a_eval": first[1][-options.held_out :],
        "b_train": second[: BATCH * options.steps], "b_eval": second[-options.held_out :],
    }  # fmt: skip
    for name, lines in parts.items():
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def learn_first(folder: Path, options: argparse.Namespace) -> None:
    """The model that has learnt A, in float32: rounding it would be a change as well."""
    words = ["algorithm=sft", "lr=5e-5", f"num_epochs={options.epochs}", "warmup_steps=4", "backend.save_dtype=float32"]
    words += [f"model_path={options.model}", f"data_path={folder}/a_train.jsonl", f"output_dir={folder}/first"]
    train(folder, words)


def look_inside(folder: Path) -> Inside:
    """Load the model that has learnt A, and run some rows of both tasks through it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    first = folder / "first" / "checkpoints" / "final"
    model = AutoModelForCausalLM.from_pretrained(first, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(first)
    parts = [list(map(json.loads, (folder / f"{name}.jsonl").open())) for name in ("a_train", "a_eval", "b_eval")]
    found = [moments(model, tokenizer, rows[:48]) for rows in parts]
    return Inside({name: layer.weight.detach() for name, layer in matrices(model)}, *found)


def limits(label: str, inside: Inside) -> contextlib.AbstractContextManager[None]:
    """What a contender that the command line does not know may train."""
    if label == QUIET:
        return quiet_inputs_alone(inside.learnt, RATIO)
    return matrices_alone() if label == MATRICES else contextlib.nullcontext()


def learn_second(folder: Path, words: list[str], options: argparse.Namespace, inside: Inside) -> list[Point]:
    """Train a contender on B; its losses on the way."""
    from training_hub.workers.exact_steps.trainer import StepTrainer

    points: list[Point] = []
    evaluate_b = StepTrainer.evaluate

    def evaluate(trainer: Any, *arguments: Any, **named: Any) -> dict[str, float]:
        metrics = evaluate_b(trainer, *arguments, **named)
        losses = loss_on(trainer, folder / "a_eval.jsonl"), metrics["eval_loss"]
        changes = [moved(trainer.model, inside.before, inputs) for inputs in (inside.on_a, inside.on_b)]
        points.append(Point(trainer.state.global_step, *losses, *changes))
        return metrics

    StepTrainer.evaluate = evaluate  # type: ignore[method-assign]
    try:
        settings = [
            f"model_path={folder}/first/checkpoints/final", f"data_path={folder}/b_train.jsonl",
            f"eval_data_path={folder}/b_eval.jsonl", f"eval_steps={options.every}", f"effective_batch_size={BATCH}",
            "lr_scheduler=constant", "warmup_steps=0", "save_final_checkpoint=false",
            f"output_dir={folder}/second", "overwrite=true",
        ]  # fmt: skip
        train(folder, [*settings, *words])
    finally:
        StepTrainer.evaluate = evaluate_b  # type: ignore[method-assign]
    return points


def train(folder: Path, words: list[str]) -> None:
    """One run by the config of the command line, in this process; what it says of its steps is left out."""
    from training_hub.run import RunDir
    from training_hub.workers.trl import train as train_here

    plan = planned(folder, words)
    run = RunDir(plan.spec.run_dir)
    run.create(plan.config, [], {"status": "created"})
    with contextlib.redirect_stdout(io.StringIO()):
        train_here(run, plan.config)
    gc.collect()


def planned(folder: Path, words: list[str]) -> Any:
    """The plan of a run."""
    from training_hub import train as front

    return front.plan(front.composed([*words, f"data.cache_dir={folder}/cache", "max_seq_len=512"]))


def loss_on(trainer: Any, path: Path) -> float:
    """Mean loss of the trained tokens of other rows than the trainer evaluates on, as it computes it."""
    import torch

    from training_hub.data.prepare import prepare

    words = [f"model_path={path.parent}/first/checkpoints/final", f"data_path={path}"]
    rows = prepare(trainer.processing_class, planned(path.parent, words).config["data"]).train
    kept, trainer.eval_rows = trainer.eval_rows, rows
    total, count = 0.0, 0
    with torch.no_grad():
        for each in trainer._eval_batches():
            total += float(trainer.micro_loss(trainer.model, each))
            count += len(each["targets"])
    trainer.eval_rows = kept
    return total / count


def show_curve(title: str, points: list[Point]) -> None:
    """The losses on the way."""
    print(title)
    print("  step " + "".join(f"{point.step:>9}" for point in points))
    print("  on A " + "".join(f"{point.a:>9.4f}" for point in points))
    print("  on B " + "".join(f"{point.b:>9.4f}" for point in points))
    print("  moves A " + "".join(f"{point.moved_a:>9.4f}" for point in points)[3:])
    print("  moves B " + "".join(f"{point.moved_b:>9.4f}" for point in points)[3:], flush=True)


def show(curves: dict[tuple[str, str], list[Point]]) -> None:
    """Compare at the lowest loss on B that each algorithm reaches with one of its rates."""
    labels = list(dict.fromkeys(label for label, _ in curves))
    lowest = {label: min(point.b for key in curves if key[0] == label for point in curves[key]) for label in labels}
    target, start = max(lowest.values()), next(iter(curves.values()))[0]
    print(f"\nwhere the loss on B has come down from {start.b:.4f} to {target:.4f}; on A it was {start.a:.4f}\n")
    print(f"{'':<15}{'lr':>8}{'step':>7}{'loss on A':>11}{'rise':>9}")
    for (label, rate), points in curves.items():
        if crossing := where(points, target):
            step, a = crossing
            print(f"{label:<15}{rate:>8}{step:>7.1f}{a:>11.4f}{a - start.a:>+9.4f}")


def where(points: list[Point], target: float) -> tuple[float, float] | None:
    """Step and loss on A where the loss on B first is down at the target, between the points on both sides of it."""
    for before, after in pairwise(points):
        if after.b <= target < before.b:
            share = (before.b - target) / (before.b - after.b)
            return before.step + share * (after.step - before.step), before.a + share * (after.a - before.a)
    return None


if __name__ == "__main__":
    main()
