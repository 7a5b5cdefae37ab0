"""Whole-process time of a short run through the command line, against the same training written directly with TRL.

    python bench/overhead.py [--model FOLDER] [--data FILE] [--steps 8] [--repeats 3]

Goal: no more than 2 seconds or 5 % longer. The two take turns; medians and their difference are printed. Without
--model a random Llama of 60,000 parameters is made, where nearly all of the time is start-up and nothing hides it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PLAIN = """
import json, sys
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

model_path, data_path, output, steps, batch = sys.argv[1:4] + [int(word) for word in sys.argv[4:6]]
tokenizer = AutoTokenizer.from_pretrained(model_path)
model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
rows = Dataset.from_list([json.loads(line) for line in open(data_path)])
bf16 = not torch.cuda.is_available() and torch.cpu._is_avx512_bf16_supported()
config = SFTConfig(
    output_dir=output, max_steps=steps, per_device_train_batch_size=batch, learning_rate=1e-5, logging_steps=1,
    bf16=bf16, use_cpu=not torch.cuda.is_available(), report_to=[], save_strategy="no", gradient_checkpointing=False,
    max_length=512, disable_tqdm=True,
)
trainer = SFTTrainer(model, config, train_dataset=rows, processing_class=tokenizer)
trainer.train()
trainer.save_model(output + "/final")
"""


def main() -> None:
    """Print the table."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or folder / "model"
        if not options.model:
            subprocess.run(
                [sys.executable, ROOT / "scripts" / "random_model.py", model], check=True, capture_output=True
            )
        data = options.data or ROOT / "examples" / "quickstart" / "train.jsonl"
        (folder / "plain.py").write_text(PLAIN)
        times: dict[str, list[float]] = {"plain TRL script": [], "training_hub": []}
        for number in range(options.repeats + 1):  # the first round warms the file cache and is not counted
            commands = {
                "plain TRL script": plain(folder, model, data, options, number),
                "training_hub": ours(folder, model, data, options, number),
            }
            for label, command in commands.items():
                seconds = timed(command)
                if number:
                    times[label].append(seconds)
    report(times)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def plain(folder: Path, model: Path, data: Path, options: argparse.Namespace, number: int) -> list[str]:
    """The training as one writes it by hand."""
    words = [model, data, folder / f"plain{number}", options.steps, options.batch]
    return [sys.executable, str(folder / "plain.py"), *map(str, words)]


def ours(folder: Path, model: Path, data: Path, options: argparse.Namespace, number: int) -> list[str]:
    """The same through the command line."""
    return [
        sys.executable, "-m", "training_hub", f"model_path={model}", f"data_path={data}", "lr=1e-5", "max_seq_len=512",
        f"max_steps={options.steps}", f"effective_batch_size={options.batch}", f"output_dir={folder}/ours{number}",
        f"data.cache_dir={folder}/cache{number}",
    ]  # fmt: skip


def timed(command: list[str]) -> float:
    """Wall time of a command, in seconds."""
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{command[:4]} failed:\n{done.stderr[-2000:]}")
    return time.monotonic() - start


def report(times: dict[str, list[float]]) -> None:
    """Medians, and what the command line adds."""
    print(f"{'':<20}{'median s':>10}{'min s':>10}{'max s':>10}")
    for label, values in times.items():
        print(f"{label:<20}{statistics.median(values):>10.2f}{min(values):>10.2f}{max(values):>10.2f}")
    ours_s, plain_s = statistics.median(times["training_hub"]), statistics.median(times["plain TRL script"])
    print(f"difference          {ours_s - plain_s:>+10.2f} s ({(ours_s / plain_s - 1) * 100:+.1f} %)")


if __name__ == "__main__":
    main()
