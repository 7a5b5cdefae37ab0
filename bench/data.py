"""Tokens per second of the data pipeline, cold and warm, beside instructlab-training's and TRL's on the same file.

    python bench/data.py --model outputs/models/smollm2-135m-instruct --rows 20000

Every figure is the median of a few runs, each in a process of its own with empty caches and after its imports, those
included that transformers puts off until it loads a tokenizer; loading the tokenizer itself counts. TRL prepares with
assistant masks: all three get the same ChatML template that marks them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "shared" / "data" / "gsm8k_train.jsonl"
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}{% generation %}"
    "{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}{{ m['content'] + '<|im_end|>\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
UNMARKED = re.sub(r"\{% (end)?generation %\}", "", TEMPLATE)
MAX_SEQ_LEN = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="outputs/models/smollm2-135m-instruct", help="folder with a tokenizer")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, work, cores = options.one
        print("RESULT", json.dumps(CONTENDERS[name](Path(work), int(cores))))
        return
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), options.model, options.rows)
        report(measure(options.only, Path(folder), options.cores, options.repeats), options)


def lay_out(folder: Path, model: str, rows: int) -> None:
    """Write the rows and the tokenizer, once with a template that marks generations and once without."""
    from transformers import AutoTokenizer

    source = [json.loads(line) for line in SOURCE.read_text().splitlines()]
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(rows):
            file.write(json.dumps(varied(source[number % len(source)], number // len(source) + 1)) + "\n")
    tokenizer = AutoTokenizer.from_pretrained(model)
    for name, template in (("marked", TEMPLATE), ("unmarked", UNMARKED)):
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder / name)
        (folder / name / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": len(tokenizer)}))


def varied(row: dict[str, list[dict[str, str]]], factor: int) -> dict[str, list[dict[str, str]]]:
    """The row with other numbers in it, so that no two rows are the same."""
    turns = [
        turn | {"content": re.sub(r"\d{1,6}", lambda number: str(int(number.group()) * factor), turn["content"])}
        for turn in row["messages"]
    ]
    return {"messages": turns}


def measure(names: list[str], folder: Path, cores: int, repeats: int) -> dict[str, dict[str, float]]:
    """Medians of seconds and tokens for each contender; the contenders take turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                runs[name].append(run_alone(name, folder, cores, cache))
                print(f"{name}: {runs[name][-1]}", file=sys.stderr)
    return {name: {key: statistics.median(run[key] for run in each) for key in each[0]} for name, each in runs.items()}


def run_alone(name: str, folder: Path, cores: int, cache: str) -> dict[str, float]:
    quiet = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    env = os.environ | quiet | {"HF_HOME": cache, "XDG_CACHE_HOME": cache, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, __file__, "--one", name, str(folder), str(cores)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not results:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(results[-1].removeprefix("RESULT "))
    return found


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, seconds of processor time of this process and its children, and what came of it."""
    started, before = time.perf_counter(), sum(os.times()[:4])
    result = work()
    return time.perf_counter() - started, sum(os.times()[:4]) - before, result


def ours(folder: Path, cores: int, tokenizer: str = "marked") -> dict[str, float]:
    from transformers import AutoTokenizer

    from training_hub.data.prepare import Prepared, prepare

    data = {"path": str(folder / "rows.jsonl"), "eval_path": None, "eval_fraction": 0.0, "format": "auto"}
    formats = {"messages": {"_target_": "training_hub.data.formats.messages.Messages"}}
    data |= {
        "accepts": ["messages"],
        "formats": formats,
        "train_on": "assistant",
        "max_seq_len": MAX_SEQ_LEN,
        "too_long": "truncate",
    }
    data |= {"chat_template": None, "messages_column": "messages", "document_column": "document", "block_size": None}
    data |= {"chat_template_kwargs": {}, "plain_text": False, "end_of_turn": "auto", "unrenderable": "error"}
    data |= {"seed": 0, "num_proc": cores, "cache_dir": None}

    def prepared() -> Prepared:
        return prepare(AutoTokenizer.from_pretrained(folder / tokenizer), data)

    AutoTokenizer.from_pretrained(folder / tokenizer)  # imports what is left to import
    cold, cpu, _ = timed(prepared)
    warm, _, found = timed(prepared)
    counts = {key: found.report["train"][key] for key in ("tokens", "trained_tokens")}
    return {"cold_s": cold, "cpu_s": cpu, "warm_s": warm} | counts


def ours_unmarked(folder: Path, cores: int) -> dict[str, float]:
    return ours(folder, cores, "unmarked")


def instructlab(folder: Path, cores: int) -> dict[str, float]:
    import numpy as np
    from instructlab.training.data_process import process_messages_into_input_ids
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(folder / "unmarked")  # imports what is left to import
    out = folder / "instructlab"
    paths = str(folder / "rows.jsonl"), str(out), MAX_SEQ_LEN, str(folder / "unmarked")
    seconds, cpu, _ = timed(lambda: process_messages_into_input_ids(*paths, cores))
    rows = [json.loads(line) for line in (out / "data.jsonl").read_text().splitlines()]
    trained = sum(int((np.array(row["labels"]) != -100).sum()) for row in rows)
    return {
        "cold_s": seconds,
        "cpu_s": cpu,
        "tokens": sum(len(row["input_ids"]) for row in rows),
        "trained_tokens": trained,
    }


def trl(folder: Path, cores: int) -> dict[str, float]:
    import numpy as np
    from datasets import load_dataset
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    def prepared() -> SFTTrainer:
        tokenizer = AutoTokenizer.from_pretrained(folder / "marked")
        rows = load_dataset("json", data_files=str(folder / "rows.jsonl"), split="train")
        options = {"assistant_only_loss": True, "max_length": MAX_SEQ_LEN, "dataset_num_proc": cores}
        args = SFTConfig(output_dir=str(folder / "trl"), report_to=[], use_cpu=True, bf16=False, **options)
        return SFTTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)

    size = len(AutoTokenizer.from_pretrained(folder / "marked"))
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=size, **shape))
    cold, cpu, trainer = timed(prepared)
    warm, _, _ = timed(prepared)
    rows = trainer.train_dataset
    trained = sum(int((np.array(labels) != -100).sum()) for labels in rows["labels"])
    tokens = sum(map(len, rows["input_ids"]))
    return {"cold_s": cold, "cpu_s": cpu, "warm_s": warm, "tokens": tokens, "trained_tokens": trained}


CONTENDERS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "training_hub": ours,
    "training_hub, unmarked template": ours_unmarked,
    "instructlab-training": instructlab,
    "trl": trl,
}


def report(medians: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    print(f"{options.rows:,} rows, {options.cores} cores, medians of {options.repeats} runs")
    titles = (
        ("tokens", 12),
        ("trained", 12),
        ("cold s", 8),
        ("cpu s", 8),
        ("cold tok/s", 12),
        ("warm s", 8),
        ("warm tok/s", 13),
    )
    print(" " * 33 + "".join(f"{title:>{width}}" for title, width in titles))
    for name, found in medians.items():
        cold, warm = found["cold_s"], found.get("warm_s")
        again = f"{warm:8.2f}{found['tokens'] / warm:13,.0f}" if warm else f"{'-':>8}{'-':>13}"
        counts = f"{found['tokens']:12,.0f}{found['trained_tokens']:12,.0f}"
        print(f"{name:33}{counts}{cold:8.2f}{found['cpu_s']:8.2f}{found['tokens'] / cold:12,.0f}{again}")
    first = next(iter(medians.values()))
    for name, found in list(medians.items())[1:]:
        clock, cpu = (found[key] / first[key] for key in ("cold_s", "cpu_s"))
        print(f"{name}, cold: {clock:.2f} times the seconds and {cpu:.2f} times the processor time of the first line")


if __name__ == "__main__":
    main()
