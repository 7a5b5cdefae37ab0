"""The memory that `estimate` says beside what a run then takes, on processors.

    python bench/memory.py --model outputs/models/smollm2-135m-instruct [--only NAME ...]

Two steps of 16 rows of GSM8K: the model that is given in several ways, and random ones of other shapes. Whole commands,
one after the other. A process's peak is the kernel's count of its resident memory, from the run's own result.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ROWS = 32
CELLS: dict[str, tuple[str, ...]] = {
    "sft": (),
    "sft, 512 tokens": ("max_tokens_per_gpu=512",),
    "sft, checkpointing, 2048 tokens": ("max_tokens_per_gpu=2048", "gradient_checkpointing=true"),
    "lora_sft": ("algorithm=lora_sft",),
    "osft": ("algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.25"),
    "dpo": ("algorithm=dpo",),
    "wide": (),
    "large vocabulary": (),
    "gpt2": (),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    print(f"{'':<34}{'estimated GB':>24}{'measured GB':>13}{'off by':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder)
        for label, typed in CELLS.items():
            if not options.only or label in options.only:
                model = options.model if label.split(",")[0] in ("sft", "lora_sft", "osft", "dpo") else None
                path = model or make_model(label, options.model, folder)
                rows = folder / ("pairs.jsonl" if label == "dpo" else "rows.jsonl")
                show(label, compare([f"model_path={path}", f"data_path={rows}", *typed], folder))


def write_rows(folder: Path) -> None:
    """Conversations, and pairs whose rejected answer is that to the next question."""
    lines = (DATA / "gsm8k_train.jsonl").read_text().splitlines()[:ROWS]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    turns = [json.loads(line)["messages"] for line in lines]
    pairs = [
        {"prompt": each[:-1], "chosen": [each[-1]], "rejected": [turns[number - 1][-1]]}
        for number, each in enumerate(turns)
    ]
    (folder / "pairs.jsonl").write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs))


def make_model(label: str, like: Path, folder: Path) -> Path:
    """A random model of another shape, with the tokenizer of the given one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, Qwen2Config

    tokens = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    shapes: dict[str, Any] = {
        "wide": LlamaConfig(
            vocab_size=49152, hidden_size=1024, intermediate_size=2816, num_hidden_layers=4, num_attention_heads=16,
            num_key_value_heads=4, tie_word_embeddings=True, **tokens,
        ),
        "large vocabulary": Qwen2Config(
            vocab_size=120000, hidden_size=384, intermediate_size=1024, num_hidden_layers=12, num_attention_heads=6,
            num_key_value_heads=2, tie_word_embeddings=False, **tokens,
        ),
        "gpt2": GPT2Config(vocab_size=49152, n_embd=512, n_layer=8, n_head=8, n_positions=2048, **tokens),
    }  # fmt: skip
    place = folder / label.replace(" ", "-")
    AutoModelForCausalLM.from_config(shapes[label], dtype=torch.bfloat16).save_pretrained(place)
    AutoTokenizer.from_pretrained(like).save_pretrained(place)
    return place


def compare(typed: list[str], folder: Path) -> tuple[float, float, float, float]:
    """Low, expected, high and measured, in GB."""
    run = folder / "run"
    whole = [*typed, "effective_batch_size=16", "max_steps=2", f"data.cache_dir={folder}/cache", f"output_dir={run}"]
    said = command("estimate", *whole, "overwrite=true")
    found = re.search(r"in all +([\d.]+) GB +([\d.]+) to ([\d.]+)", said)
    assert found, said
    expected, low, high = map(float, found.groups())
    command("train", *whole, "overwrite=true")
    return low, expected, high, json.loads((run / "result.json").read_text())["metrics"]["peak_memory_gb"]


def command(*words: str) -> str:
    """What a command prints; it may say that memory does not suffice."""
    done = subprocess.run(
        [sys.executable, "-m", "training_hub", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def show(label: str, numbers: tuple[float, float, float, float]) -> None:
    """One row."""
    low, expected, high, measured = numbers
    said = f"{expected:.2f} ({low:.2f} to {high:.2f})"
    print(f"{label:<34}{said:>24}{measured:>13.2f}{expected / measured - 1:>8.0%}", flush=True)


if __name__ == "__main__":
    main()
