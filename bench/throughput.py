"""One epoch of sft (and LoRA) on a real small model: training_hub beside TRL's own command line.

    python bench/throughput.py --model outputs/models/smollm2-135m-instruct [--rows 96] [--only NAME ...]

Whole processes, one after the other, on the same rows and cores, with the same optimizer settings. `trl sft` runs as it
comes (but for bf16=false, without which it does not start on a CPU), and with the flags that make it fastest here
(bf16, packing). Printed: seconds, tokens per second of the whole process and in steady state, peak memory of all its
processes, and the loss per answer token of each result on the same held-out rows, measured the same way; last, the
machine's limit for the matrix products of this model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
BATCH = 8


@dataclass(frozen=True)
class Measured:
    """One contender. peak_gb: in units of 10**9 bytes; steady: tokens per second without the first two steps."""

    name: str
    seconds: float
    peak_gb: float
    steady: float | None
    eval_loss: float


def main() -> None:
    """Measure and print."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows").mkdir()
        lines = (DATA / "gsm8k_train.jsonl").read_text().splitlines()[: options.rows]
        (folder / "rows" / "train.jsonl").write_text("\n".join(lines) + "\n")
        tokens = count_tokens(options.model, folder)
        print(f"{options.rows} rows, {tokens:,} tokens, one epoch, {BATCH} rows a step\n")
        print(f"{'':<26}{'seconds':>9}{'tokens/s':>10}{'steady':>9}{'peak GB':>9}{'eval loss':>11}")
        for label, command in contenders(options, folder).items():
            if not options.only or label in options.only:
                show(measure(label, command, folder, options.model), tokens)
    print(f"\nlimit of the matrix products: {limit(options.model):.0f} tokens/s in bf16")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--only", nargs="*", default=[])
    return parser.parse_args()


def contenders(options: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """Label -> command; each leaves its model in a folder of its label's name."""
    trl = [
        str(Path(sys.executable).with_name("trl")), "sft", "--model_name_or_path", str(options.model),
        "--dataset_name", str(folder / "rows"), "--num_train_epochs", "1", "--per_device_train_batch_size", str(BATCH),
        "--learning_rate", "1e-5", "--report_to", "none", "--save_strategy", "no", "--logging_steps", "1",
        "--bf16", "false",  # its default, bf16, does not start without a GPU
    ]  # fmt: skip
    hub = [
        sys.executable, "-m", "training_hub", f"model_path={options.model}", f"data_path={folder}/rows/train.jsonl",
        f"effective_batch_size={BATCH}", f"data.cache_dir={folder}/cache",
    ]  # fmt: skip
    # as TRL has them
    same = ["lr=1e-5", "lr_scheduler=linear", "beta2=0.999"]
    best = [
        "--use_cpu",
        "true",
        "--bf16",
        "true",
        "--packing",
        "true",
        "--max_length",
        "1024",
        "--per_device_train_batch_size",
        "1",
    ]
    return {
        "training_hub sft": [*hub, *same, f"output_dir={folder}/training_hub sft"],
        "training_hub lora_sft": [
            *hub,
            "algorithm=lora_sft",
            f"output_dir={folder}/training_hub lora_sft",
            "merge=true",
        ],
        "trl sft": [*trl, "--output_dir", f"{folder}/trl sft"],
        "trl sft, best flags": [*trl, *best, "--output_dir", f"{folder}/trl sft, best flags"],
        "trl sft, LoRA": [*trl, "--use_peft", "true", "--output_dir", f"{folder}/trl sft, LoRA"],
    }


def measure(label: str, command: list[str], folder: Path, model: Path) -> Measured:
    """Run a contender to its end, watching the memory of its process tree."""
    start = time.monotonic()
    with (folder / f"{label}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    peak = Peak(process.pid)
    if process.wait():
        sys.exit(f"{label} failed:\n{(folder / f'{label}.log').read_text()[-3000:]}")
    seconds = time.monotonic() - start
    out = folder / label
    final = out / "checkpoints" / "final" if (out / "checkpoints").is_dir() else out
    return Measured(label, seconds, peak.stop() / 1e9, steady(out), evaluate(final, model))


class Peak:
    """The largest sum of resident memory of a process and its children, in bytes, sampled ten times per second."""

    def __init__(self, pid: int) -> None:
        self._process, self._bytes, self._going = psutil.Process(pid), 0, True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while self._going:
            try:
                tree = [self._process, *self._process.children(recursive=True)]
                self._bytes = max(self._bytes, sum(each.memory_info().rss for each in tree))
            except psutil.Error:
                pass
            time.sleep(0.1)

    def stop(self) -> int:
        """The peak so far."""
        self._going = False
        self._thread.join()
        return self._bytes


def steady(out: Path) -> float | None:
    """Tokens per second without the first two steps, from our metrics; None for the others."""
    metrics = out / "metrics.jsonl"
    if not metrics.exists():
        return None
    rows = [row for row in map(json.loads, metrics.read_text().splitlines()) if row["loss"] is not None]
    if len(rows) < 4:
        return None
    first, last = rows[1], rows[-1]
    return float((last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]))


EVALUATE = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from peft import AutoPeftModelForCausalLM
from pathlib import Path
final, base, rows = sys.argv[1:]
loader = AutoPeftModelForCausalLM if (Path(final) / "adapter_config.json").exists() else AutoModelForCausalLM
model = loader.from_pretrained(final, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(base)
total, count = 0.0, 0
for line in open(rows).read().splitlines()[:40]:
    messages = json.loads(line)["messages"]
    whole = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)["input_ids"]
    asked = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    start = len(tokenizer(asked, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        logits = model(input_ids=whole).logits[0, start - 1 : -1]
    total += torch.nn.functional.cross_entropy(logits, whole[0, start:], reduction="sum").item()
    count += whole.shape[1] - start
print(total / count)
"""


def evaluate(final: Path, model: Path) -> float:
    """Mean loss per answer token on 40 held-out rows, in nats, computed directly with transformers in fp32."""
    command = [sys.executable, "-c", EVALUATE, str(final), str(model), str(DATA / "gsm8k_eval.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def count_tokens(model: Path, folder: Path) -> int:
    """Tokens of all rows as the chat template renders them."""
    code = (
        "import json, sys; from transformers import AutoTokenizer; t = AutoTokenizer.from_pretrained(sys.argv[1]);"
        "print(sum(len(t(t.apply_chat_template(json.loads(l)['messages'], tokenize=False))['input_ids'])"
        " for l in open(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, str(model), str(folder / "rows" / "train.jsonl")]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def limit(model: Path) -> float:
    """Tokens per second if nothing but the model's matrix products were computed, at their measured speed in bf16."""
    import torch

    config: dict[str, Any] = json.loads((model / "config.json").read_text())
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    left, right = (torch.randn(shape, dtype=torch.bfloat16) for shape in ((1024, hidden), (hidden, inner)))
    best = min(timed(lambda: left @ right) for _ in range(30))
    flops = 2 * 1024 * hidden * inner / best
    per_layer = (
        2 * hidden * hidden + 2 * hidden * hidden * config["num_key_value_heads"] // config["num_attention_heads"]
    )
    weights = config["num_hidden_layers"] * (per_layer + 3 * hidden * inner) + config["vocab_size"] * hidden
    return flops / (6 * weights)


def timed(call: Any) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def show(row: Measured, tokens: int) -> None:
    """One line of the table."""
    steady_text = f"{row.steady:.0f}" if row.steady else "-"
    print(
        f"{row.name:<26}{row.seconds:>9.0f}{tokens / row.seconds:>10.0f}{steady_text:>9}{row.peak_gb:>9.1f}"
        f"{row.eval_loss:>11.4f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
