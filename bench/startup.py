"""Seconds until the front has answered, beside `import hydra`, and whether it imported anything heavy.

    python bench/startup.py --repeats 9

Every command is a process of its own. The rounds are interleaved, so that whatever else the machine does falls on all
of them alike; a figure is the median over the rounds, a ratio that of two medians. `cpu` is the processor time of the
process, which other processes disturb less than the clock. What was imported is read from `python -X importtime`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BASE = "import hydra"
HEAVY = ("torch", "transformers", "numpy")
GOAL_RATIO, GOAL_S = 4.0, 1.0


@dataclass(frozen=True)
class Taken:
    """What one process took. clock_s, cpu_s: in seconds; cpu_s is user and system time together."""

    clock_s: float
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count; one before them warms the caches")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = lay_out(Path(folder))
        for arguments in commands.values():  # compiles what has no bytecode yet
            take(arguments, folder)
        rounds = [{name: take(each, folder) for name, each in commands.items()} for _ in range(options.repeats)]
        heavy = {name: imported(each, folder) for name, each in commands.items()}
    report(rounds, heavy)


def lay_out(folder: Path) -> dict[str, list[str]]:
    """Write a small model folder and a data file; returns the arguments of python for each command."""
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 256}))
    header = json.dumps({"lm_head.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model" / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    turns = [{"role": "user", "content": "How are you?"}, {"role": "assistant", "content": "Fine."}]
    (folder / "rows.jsonl").write_text((json.dumps({"messages": turns}) + "\n") * 100)
    hub, typed = ["-m", "training_hub"], ["model_path=model", "data_path=rows.jsonl", "lr=1e-5"]
    return {
        BASE: ["-c", BASE],
        "import training_hub": ["-c", "import training_hub"],
        "training_hub --help": [*hub, "--help"],
        "training_hub explain": [*hub, "explain", *typed],
        "training_hub plan": [*hub, "plan", *typed],
    }


def take(arguments: list[str], folder: str) -> Taken:
    """Run python once. CalledProcessError where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    clock = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Taken(clock, usage.ru_utime + usage.ru_stime)


def imported(arguments: list[str], folder: str) -> list[str]:
    """Those of HEAVY that a command imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    return [name for name in HEAVY if name in names]


def report(rounds: list[dict[str, Taken]], heavy: dict[str, list[str]]) -> None:
    """Print the table, and what misses the goal."""
    clock = {name: statistics.median(each[name].clock_s for each in rounds) for name in heavy}
    cpu = {name: statistics.median(each[name].cpu_s for each in rounds) for name in heavy}
    print(f"{'':<22}{'clock s':>9}{'times':>7}{'cpu s':>9}{'times':>7}   imports {', '.join(HEAVY)}")
    for name, found in heavy.items():
        times = f"{clock[name]:>9.3f}{clock[name] / clock[BASE]:>7.2f}{cpu[name]:>9.3f}{cpu[name] / cpu[BASE]:>7.2f}"
        print(f"{name:<22}{times}   {', '.join(found) or 'none'}")
    slow = [name for name in heavy if clock[name] > min(GOAL_S, GOAL_RATIO * clock[BASE])]
    print(f"\ngoal: under {GOAL_RATIO:g} times `{BASE}`, under {GOAL_S:g} s; missed by: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main()
