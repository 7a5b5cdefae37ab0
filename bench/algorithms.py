"""Each algorithm on a real small model, through the real command line: what it learns, how fast, in how much memory.

    python bench/algorithms.py --model outputs/models/smollm2-135m-instruct [--rows 48] [--only NAME ...]

Whole processes, one after the other, one epoch over the same rows of GSM8K (for dpo: pairs of a right and a wrong
solution). Printed: loss on held-out rows before and after, tokens per second while training, seconds of the whole
process, peak memory of the process tree, and what an algorithm tells of itself: the leakage of osft, the accuracy and
the margin of dpo on held-out pairs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from throughput import DATA, ROOT, Peak

HELD_OUT = 16
# Label -> what is typed beside model and data.
CONTENDERS = {
    "sft": ["algorithm=sft", "lr=1e-5"],
    "lora_sft": ["algorithm=lora_sft", "warmup_steps=0"],
    "lora_sft, DoRA": ["algorithm=lora_sft", "warmup_steps=0", "use_dora=true"],
    "osft 0.25": ["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.25", "lr=1e-5"],
    "osft 0.5": ["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.5", "lr=1e-5"],
    "dpo": ["algorithm=dpo", "lr=1e-6"],
    "dpo, LoRA": ["algorithm=dpo", "adapter=lora", "lr=5e-5"],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    print(f"{options.rows} rows, one epoch, 8 rows a step, {HELD_OUT} held-out rows\n")
    print(f"{'':<18}{'eval before':>12}{'after':>9}{'tokens/s':>10}{'seconds':>9}{'peak GB':>9}   tells")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, options.rows)
        for label, words in CONTENDERS.items():
            if not options.only or label in options.only:
                show(label, words, options.model, folder)


def lay_out(folder: Path, rows: int) -> None:
    """Write the rows to train on and those to evaluate on."""
    chat, held_out, pairs = (
        (DATA / f"gsm8k_{name}.jsonl").read_text().splitlines() for name in ("train", "eval", "preference")
    )
    parts = {
        "sft": chat[:rows], "sft_eval": held_out[:HELD_OUT],
        "dpo": pairs[:rows], "dpo_eval": pairs[-HELD_OUT:],
    }  # fmt: skip
    for name, lines in parts.items():
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def show(label: str, words: list[str], model: Path, folder: Path) -> None:
    """Run one contender to its end and print its row."""
    kind, out = "dpo" if "algorithm=dpo" in words else "sft", folder / label.replace(", ", "_")
    command = [
        sys.executable, "-m", "training_hub", *words, f"model_path={model}", f"data_path={folder}/{kind}.jsonl",
        f"eval_data_path={folder}/{kind}_eval.jsonl", "effective_batch_size=8", f"data.cache_dir={folder}/cache",
        f"output_dir={out}",
    ]  # fmt: skip
    start = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    peak = Peak(process.pid)
    if process.wait():
        sys.exit(f"{label} failed:\n{(folder / 'log').read_text()[-3000:]}")
    seconds, used = time.monotonic() - start, peak.stop() / 1e9
    found = json.loads((out / "result.json").read_text())["metrics"]
    own = ("leakage_u", "leakage_v", "eval_accuracy_after", "eval_margin_after")
    own += ("eval_preferred_before", "eval_preferred_after")
    tells = "  ".join(f"{name.removeprefix('eval_')} {found[name]:.2g}" for name in own if name in found)
    print(
        f"{label:<18}{found['eval_loss_before']:>12.4f}{found['eval_loss_after']:>9.4f}"
        f"{found['tokens_per_second']:>10.0f}{seconds:>9.0f}{used:>9.2f}   {tells}",
        flush=True,
    )


if __name__ == "__main__":
    main()
