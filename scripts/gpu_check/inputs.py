"""Rows and a model, made here: nothing has to be fetched."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

RANDOM_MODEL = Path(__file__).resolve().parents[1] / "random_model.py"


def make_model(folder: Path, size: str) -> Path:
    """A random Llama, and a tokenizer with one token for a byte."""
    command = [sys.executable, RANDOM_MODEL, folder, f"--size={size}"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def make_rows(folder: Path, rows: int, length: int) -> None:
    """rows.jsonl, conversations of about so many bytes, and pairs.jsonl, the same with a second answer."""
    dice = random.Random(0)
    with (folder / "rows.jsonl").open("w") as conversations, (folder / "pairs.jsonl").open("w") as pairs:
        for _ in range(rows):
            question, answer, other = (_text(dice, length * share) for share in (0.2, 0.7, 0.7))
            prompt = [{"role": "user", "content": question}]
            chosen, rejected = ([{"role": "assistant", "content": text}] for text in (answer, other))
            conversations.write(json.dumps({"messages": prompt + chosen}) + "\n")
            pairs.write(json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected}) + "\n")


def _text(dice: random.Random, length: float) -> str:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    return " ".join(dice.choice(words) for _ in range(max(2, round(length * dice.uniform(0.8, 1.2) / 5))))
