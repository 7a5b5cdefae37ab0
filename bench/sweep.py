"""What a sweep costs beside its runs: planning 10, 100 and 1,000 jobs, and 8 short runs against a shell loop.

    python bench/sweep.py [--model FOLDER] [--data FILE] [--steps 2] [--jobs 1] [SETTING ...]

Planning composes and checks every job, as a sweep does before its first one; each count is a process of its own, whose
memory is read from the kernel. The loop types the same runs one after the other. Goals: under 30 s for 1,000 jobs with
no more than 50 MB over the memory for 10, and a sweep that takes less than the loop. Without --model a random Llama of
60,000 parameters is made. --jobs: runs at a time; 1 compares what the front costs, more what a sweep is for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from overhead import ROOT

PLAN = """
import sys
from pathlib import Path
import training_hub.__main__  # as the command line does: garbage is looked for more seldom
from training_hub.sweeps.expand import read
from training_hub.sweeps.plan import Planner

asked = read(sys.argv[1:])
jobs = Planner(asked.swept).checked(asked.jobs(), Path("outputs/sweeps/planned"))
print(len(jobs))
"""
COUNTS = {10: "seed=range(0,10)", 100: "seed=range(0,100)", 1000: "seed=range(0,1000)"}
LRS, SEEDS = ("1e-4", "2e-4", "4e-4", "8e-4"), ("1", "2")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT / "examples" / "quickstart" / "train.jsonl")
    parser.add_argument("--steps", type=int, default=2, help="optimizer steps of each short run")
    parser.add_argument("settings", nargs="*", help="further settings of every run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or folder / "model"
        if options.model is None:
            make = [sys.executable, ROOT / "scripts" / "random_model.py", model]
            subprocess.run(make, check=True, capture_output=True)
        words = [f"model_path={model.absolute()}", f"data_path={options.data.absolute()}", "max_seq_len=512"]
        show_planning(words, folder)
        words += [f"max_steps={options.steps}", f"data.cache_dir={folder}/cache", *options.settings]
        show_runs(words, folder, options.jobs)


def show_planning(words: list[str], folder: Path) -> None:
    """Seconds and memory of planning, by the number of jobs."""
    print(f"{'jobs':>6}{'clock s':>10}{'cpu s':>8}{'cpu ms a job':>14}{'memory MB':>11}")
    for count, sweep in COUNTS.items():
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", PLAN, *words, sweep], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        planned = process.stdout.read().strip()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode or planned != str(count):
            raise SystemExit(f"planning {count} jobs failed")
        cpu = usage.ru_utime + usage.ru_stime
        print(
            f"{count:>6}{seconds:>10.2f}{cpu:>8.2f}{1000 * cpu / count:>14.1f}{usage.ru_maxrss / 1000:>11.0f}",
            flush=True,
        )


def show_runs(words: list[str], folder: Path, jobs: int) -> None:
    """Seconds of the same runs, one by one and as a sweep. A first run prepares the data, and is not counted."""
    hub = [sys.executable, "-m", "training_hub"]
    pairs = [(f"lr={lr}", f"seed={seed}") for lr in LRS for seed in SEEDS]
    seconds([[*hub, *words, f"output_dir={folder}/first"]])
    commands = [[*hub, *words, *pair, f"output_dir={folder}/loop/{number}"] for number, pair in enumerate(pairs)]
    loop = seconds(commands)
    swept = [f"lr={','.join(LRS)}", f"seed={','.join(SEEDS)}", f"jobs={jobs}"]
    sweep = seconds([[*hub, "-m", *words, *swept, f"output_dir={folder}/sweep"]])
    taken = f"shell loop {loop:.1f} s; sweep, {jobs} at a time, {sweep:.1f} s: {sweep / loop:.2f} times"
    print(f"\n{len(pairs)} runs: {taken}")


def seconds(commands: list[list[str]]) -> float:
    """Of commands, one after the other. CalledProcessError where one fails."""
    began = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
