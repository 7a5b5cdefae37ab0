"""SIGKILL at every file boundary of a save, and at random moments of a run: does what goes on end where it should?

    python bench/kill.py [--kills 50] [--whole 6] [--slurm 0] [--boundaries N] [--cells sft,lora_sft,dpo,osft]

A tiny model; the boundaries with the first cell, since what saves is the same for all. Each life of a run is a process
of its own that really dies of SIGKILL and leaves no chance to clean up. Two kinds of lives: the worker, forked from a
process that has imported the libraries (a second or less, so there can be many), and, `--whole` of them, the whole
command line, front, worker and all, by `resume=auto`. With `--slurm N` as many deaths of jobs of the SLURM that answers
here, in each of the ways of kill_slurm.py; its nodes must be this machine. These two have a longer run.

After each death the run goes on until it ends; then its weights must be those of a run that was left alone, bit for
bit, its metrics the same rows, and no life may have lost more steps than lie between two checkpoints.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import kill_slurm  # noqa: E402
from scripts.random_model import make_model  # noqa: E402
from training_hub import checkpoints, provenance, train, worker  # noqa: E402
from training_hub.run import RunDir  # noqa: E402

CELLS = {
    "sft": ["algorithm=sft", "lr=5e-3"],
    "lora_sft": ["algorithm=lora_sft", "lora_dropout=0.1", "lr=1e-2"],
    "dpo": ["algorithm=dpo", "lr=5e-3"],
    "osft": ["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.5", "lr=5e-3"],
}
# Of lives that import the libraries first, so that a step more costs nothing.
LONG = {"save_steps": 100, "num_epochs": 300}
# What touches files: events of Python, and the calls of the two libraries that write files by themselves.
EVENTS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "tempfile.mkstemp"}
WRITERS = {"serialize_file", "write_record", "write_end_of_file"}


@dataclass
class Lives:
    """What became of the lives of some runs."""

    runs: int = 0
    kills: int = 0
    lost: list[int] = field(default_factory=list)
    torn: int = 0
    differing: int = 0


class Place:
    """The model, the rows, and a run of a cell that was left alone."""

    def __init__(self, folder: Path, cell: str, save_steps: int, num_epochs: int = 3) -> None:
        self.folder, self.cell, self.save_steps = folder, cell, save_steps
        self.words = [
            f"model_path={folder}/model", f"data_path={folder}/{'pairs' if cell == 'dpo' else 'rows'}.jsonl",
            f"data.cache_dir={folder}/cache", "effective_batch_size=4", "recipe.bf16=false", f"num_epochs={num_epochs}",
            f"save_steps={save_steps}", "save_total_limit=2", "data.num_proc=1", *CELLS[cell],
        ]  # fmt: skip
        self.name, self.number = f"{cell}-{num_epochs}", 0
        self.left_alone = self.new()
        self.import_all()
        begun, run = time.monotonic(), self.new()
        assert live(lambda: worker.main(str(run.path))) == 0
        self.seconds = time.monotonic() - begun
        assert not self.differs(run)
        self.steps = int(run.read_metrics()[-1]["step"])

    def new(self) -> RunDir:
        """A run directory as the front makes it."""
        self.number += 1
        run = RunDir(self.folder / self.name / str(self.number))
        composition = train.composed([*self.words, f"output_dir={run.path}"])
        plan = train.plan(composition)
        manifest = provenance.manifest(["bench"], plan.config, composition.choices)
        run.create(plan.config, list(composition.overrides), manifest)
        return run

    def import_all(self) -> None:
        """Let one life tell what it imported: imported here, it need not be in each life. Nothing more is done here,
        so that there are no threads whose locks a fork would inherit.
        """
        told = self.folder / "modules"

        def life() -> int:
            status = worker.main(str(self.left_alone.path))
            told.write_text("\n".join(sys.modules))
            return status

        assert live(life) == 0, self.left_alone.log_tail()
        for name in told.read_text().split():
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    def differs(self, run: RunDir) -> bool:
        return weights(run) != weights(self.left_alone) or rows(run) != rows(self.left_alone)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Standard output and errors lead nowhere."""
    sys.stdout.flush()
    kept = [os.dup(number) for number in (1, 2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nothing, number)
    try:
        yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nothing)


def live(life: Callable[[], int], kill_after_s: float | None = None) -> int:
    """A life in a forked process, ended by SIGKILL after so many seconds; its exit status, -9 where it was killed."""
    number = os.fork()
    if number == 0:
        os.setsid()
        status = 1
        with quiet(), contextlib.suppress(BaseException):
            status = life()
        os._exit(status)
    timer = threading.Timer(kill_after_s or 0, lambda: os.kill(number, signal.SIGKILL))
    if kill_after_s is not None:
        timer.start()
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    timer.cancel()
    return status


def until_boundary(number: int, saves: int, tell: Callable[[str], None]) -> None:
    """Die at the file boundary of that number, counted within a save; saves: how many are let through before."""
    seen, left, last = [0], [saves], [""]

    def boundary(what: str) -> None:
        if left[0] or what == last[0]:  # many records make a file
            return
        last[0] = what
        seen[0] += 1
        tell(what)
        if seen[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(event: str, details: tuple[Any, ...]) -> None:
        if event not in EVENTS and not (event == "open" and writes(details)):
            return
        if not any("/checkpoints" in str(detail) for detail in details[:2]):
            return
        sys.setprofile(None if left[0] else called)  # it slows everything down
        boundary(f"{event} {Path(str(details[0])).name}")
        if event == "os.rename" and re.fullmatch(r"checkpoint-\d+", Path(str(details[1])).name):
            left[0] = max(0, left[0] - 1)

    def called(_frame: Any, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__name__", "") in WRITERS:
            boundary(function.__name__)

    sys.addaudithook(heard)


def writes(details: tuple[Any, ...]) -> bool:
    return isinstance(details[1], str) and bool(set("wax+") & set(details[1]))


def go_on_to_the_end(place: Place, run: RunDir, lives: Lives, lost: int) -> None:
    """The last life, and what the run came to."""
    lives.runs += 1
    lives.kills += 1
    lives.lost.append(lost)
    if live(lambda: worker.main(str(run.path))) != 0 or place.differs(run):
        lives.differing += 1
        print(f"  {run.path} differs", flush=True)
    else:
        lives.torn += len(list(run.checkpoints.glob("torn-*")))
        shutil.rmtree(run.path)


def steps_lost(run: RunDir) -> int:
    """Steps that were done, as far as the metrics tell, after the checkpoint that the run will go on from."""
    found = checkpoints.latest_checkpoint(run, thorough=True).newest
    done = max((row["step"] for row in run.read_metrics()), default=0)
    return int(done) - (found.step if found else 0)


def at_boundaries(place: Place, most: int | None) -> Lives:
    """Die, in turn, at each boundary from the third save on: it makes the first one superfluous, then comes the end.

    most: how many, evenly spread; None: all.
    """
    lives, found = Lives(), len(boundaries(place))
    for number in range(1, found + 1, 1 if most is None else max(1, found // most)):
        run = place.new()

        def life(run: RunDir = run, number: int = number) -> int:
            until_boundary(number, 2, lambda _: None)
            return worker.main(str(run.path))

        status = live(life)
        assert status == -signal.SIGKILL, f"boundary {number}: status {status}, {run.log_tail()}"
        go_on_to_the_end(place, run, lives, steps_lost(run))
    return lives


def boundaries(place: Place) -> list[str]:
    """The names of the boundaries from the third save on."""
    run, told = place.new(), place.folder / "told"
    told.write_text("")

    def life() -> int:
        with told.open("a") as file:

            def tell(what: str) -> None:
                file.write(f"{what}\n")
                file.flush()

            until_boundary(0, 2, tell)
            return worker.main(str(run.path))

    assert live(life) == 0
    return told.read_text().splitlines()


def at_random(place: Place, kills: int, dice: random.Random) -> Lives:
    """Lives of random length, one after the other, until the run ends; then another run."""
    lives = Lives()
    run = place.new()
    while lives.kills < kills:
        status = live(lambda run=run: worker.main(str(run.path)), dice.uniform(0.02, place.seconds))  # type: ignore[misc]
        if status == -signal.SIGKILL:
            lives.kills += 1
            lives.lost.append(steps_lost(run))
            continue
        lives.runs += 1
        lives.torn += len(list(run.checkpoints.glob("torn-*")))
        if status != 0 or place.differs(run):
            lives.differing += 1
            print(f"  {run.path} differs", flush=True)
        run = place.new()
    go_on_to_the_end(place, run, lives, 0)
    lives.kills -= 1
    return lives


def whole(place: Place, kills: int, dice: random.Random) -> Lives:
    """The same with the whole command line: front and worker die at once."""
    lives, folder = Lives(), place.folder / place.name / "whole"
    run = RunDir(folder)
    command = [sys.executable, "-m", "training_hub", *place.words, f"output_dir={folder}", "resume=auto"]
    while lives.kills < kills:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kill_slurm.wait_for_a_moment(run, process, dice, place.steps)
        if process.poll() is None:
            kill_all(process.pid)
            process.wait()
            lives.kills += 1
            lives.lost.append(steps_lost(run))
            continue
        lives.runs += 1
        lives.differing += process.returncode != 0 or place.differs(run)
        shutil.rmtree(folder)
    lives.runs += 1
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lives.differing += done.returncode != 0 or place.differs(run)
    return lives


def kill_all(front: int) -> None:
    """SIGKILL for a process and all that it started, at once."""
    for number in [*descendants(front), front]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def descendants(parent: int) -> Iterator[int]:
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield from descendants(child)
            yield child


def weights(run: RunDir) -> str:
    """Hash of the final weights."""
    [file] = run.final_checkpoint.glob("*.safetensors")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def rows(run: RunDir) -> list[dict[str, Any]]:
    """The metrics, without what depends on the clock."""
    clocked = {"seconds", "tokens_per_second"}
    return [{key: row[key] for key in row.keys() - clocked} for row in run.read_metrics()]


def write_rows(folder: Path) -> None:
    """24 questions with answers, and the same with a worse answer."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    with (folder / "rows.jsonl").open("w") as chat, (folder / "pairs.jsonl").open("w") as pairs:
        for number in range(24):
            question = f"count {number % 5 + 2} words from {words[number % 7]}"
            answer = " ".join(words[number % 7 :][: number % 5 + 2])
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            chat.write(json.dumps({"messages": messages}) + "\n")
            pairs.write(json.dumps({"prompt": question, "chosen": answer, "rejected": f"{question} no"}) + "\n")


def report(cell: str, kind: str, lives: Lives, save_steps: int) -> None:
    """One row of the table."""
    most, costly = max(lives.lost, default=0), sum(lost > 0 for lost in lives.lost)
    verdict = "ok" if lives.differing == 0 and most <= save_steps else "WRONG"
    numbers = f"{lives.kills:>6}{lives.runs:>6}{costly:>12}{most:>11}{lives.torn:>6}{lives.differing:>11}"
    print(f"{cell:<10}{kind:<28}{numbers}  {verdict}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50, help="random deaths of workers, over all cells")
    parser.add_argument("--whole", type=int, default=6, help="random deaths of whole command lines, first cell")
    parser.add_argument("--slurm", type=int, default=0, help="random deaths of jobs of SLURM in each way, first cell")
    parser.add_argument("--boundaries", type=int, help="file boundaries to die at, evenly spread; default: all")
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--save-steps", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import training_hub.workers.exact_steps.dpo
    import training_hub.workers.exact_steps.sft  # noqa: F401  imported once, not in each life

    os.environ["OMP_NUM_THREADS"] = "1"  # the model is too small for two
    dice, cells = random.Random(options.seed), options.cells.split(",")
    columns = f"{'kills':>6}{'runs':>6}{'lost steps':>12}{'most lost':>11}{'torn':>6}{'differing':>11}"
    print(f"{'cell':<10}{'deaths':<28}{columns}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model")
        write_rows(folder)
        for number, cell in enumerate(cells):
            place = Place(folder, cell, options.save_steps)
            if number == 0 and options.boundaries != 0:  # what saves is the same for all
                report(cell, "file boundaries of a save", at_boundaries(place, options.boundaries), options.save_steps)
            share = options.kills // len(cells) + (number < options.kills % len(cells))
            if share:
                report(cell, "random, worker", at_random(place, share, dice), options.save_steps)
        if options.whole or options.slurm:
            place = Place(folder, cells[0], LONG["save_steps"], LONG["num_epochs"])
            if options.whole:
                report(place.cell, "random, whole command", whole(place, options.whole, dice), place.save_steps)
            for way in kill_slurm.WAYS if options.slurm else ():
                lives = kill_slurm.deaths(place, way, options.slurm, dice, Lives(), steps_lost)
                report(place.cell, way, lives, place.save_steps)


if __name__ == "__main__":
    main()
