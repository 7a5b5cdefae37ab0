"""The time of a run, from a few steps of the run itself: on its rows, with its model, on this machine."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training_hub import catalogue, train
from training_hub.config import twice
from training_hub.errors import ConfigError, RunFailed, fault
from training_hub.machine import hardware
from training_hub.results.progress import Progress, duration
from training_hub.run import RunDir
from training_hub.terminal import say

_OURS = ("output_dir", "overwrite", "resume", "max_steps", "logging_steps", "eval_steps", "save_steps")
_BESIDE = ("callbacks", "logger")  # a trial is nobody else's business


@dataclass(frozen=True)
class Pace:
    """Seconds of the parts of a run, as measured.

    start: until the first step, what it takes longer than others included. token: of one in a step. evaluation, save:
    of one of them. end: after the last step. per_pair: of what is asked of dpo's reference about one pair.
    """

    start: float
    token: float
    evaluation: float
    save: float
    end: float
    per_pair: float = 0.0


@dataclass(frozen=True)
class Course:
    """How much of it there will be. tokens: in all. pairs: different rows, which a reference is asked about once."""

    steps: int
    epochs: float
    tokens: float
    evaluations: int
    saves: int
    pairs: int = 0


def time_text(typed: Sequence[str], folders: Sequence[str], steps: int) -> str:
    """Train a few steps and say how long all of them will take. ConfigError and RunFailed as for a run."""
    planned = train.plan(train.composed(typed, folders))
    if not planned.launcher.waits:
        raise ConfigError(fault("time", True, "is measured on this machine, not in a job", "add launcher=local"))
    kept = [text for text in typed if not _is_ours(text.lstrip("+").partition("=")[0])]
    parent = hardware.existing_parent(planned.spec.run_dir)
    with tempfile.TemporaryDirectory(prefix=".estimate-", dir=parent) as folder:
        run = RunDir(f"{folder}/run")
        pace = _measured(kept, folders, _changes(planned.config, steps), run)
        course = course_of(planned.config, run.read_manifest()["data"]["train"])
    return "\n".join(_lines(pace, course))


def _is_ours(key: str) -> bool:
    return key in _OURS or catalogue.names().get(key, key).split(".")[0] in _BESIDE


def _changes(config: Mapping[str, Any], steps: int) -> list[str]:
    """What the trial has otherwise than the run: its length, and one evaluation and one checkpoint at its end."""
    saves = config["save_steps"] or config["checkpoint_at_epoch"]
    changes = [f"max_steps={steps}", "logging_steps=1", "logger=[jsonl]", "callbacks=[]"]
    changes += ["checkpoint_at_epoch=false"] if config["checkpoint_at_epoch"] else []
    changes += ["eval_steps=null"] if config["eval_steps"] else []
    changes += ["backend.eval_at_start=false"] if config["backend"].get("eval_at_start") else []
    return [*changes, f"save_steps={steps}"] if saves else changes


def _measured(typed: Sequence[str], folders: Sequence[str], changes: Sequence[str], run: RunDir) -> Pace:
    try:
        planned = train.plan(train.composed(twice.changed(typed, changes, catalogue.names()), folders), str(run.path))
    except ConfigError as error:
        way = "estimate from the metrics of a run instead"
        raise ConfigError(fault("time", True, f"a few steps are not possible here: {error.faults[0]}", way)) from error
    say("training a few steps")
    started = time.time()
    train.follow(planned, ["estimate"], Progress)
    return pace_of(run, started, time.time())


def pace_of(run: RunDir, started: float, ended: float) -> Pace:
    """The seconds in which a short run did what. started, ended: of its command, in seconds since 1970."""
    rows, result = run.read_metrics(), run.read_result()
    trained = [row for row in rows if row["loss"] is not None and row["seconds"] is not None]
    if len(trained) < 2 or result is None:
        raise RunFailed(f"{run.path}: too few steps with their time; there are fewer in the run than steps=N")
    # The first two are slower: memory is taken, and the optimizer makes its moments. Their excess is part of starting.
    first, last = trained[1 if len(trained) > 3 else 0], trained[-1]
    token = (last["seconds"] - first["seconds"]) / (last["tokens"] - first["tokens"])
    written = run.metrics.stat().st_mtime
    seals = [file.stat().st_mtime for file in run.checkpoints.glob("checkpoint-*/checkpoint.json")]
    saved = max(seals, default=written)
    asked = result.metrics.get("reference_seconds", 0.0)
    before_training = written - rows[-1]["seconds"] - started
    return Pace(
        start=before_training - asked + max(0.0, first["seconds"] - first["tokens"] * token),
        token=token,
        evaluation=rows[-1]["seconds"] - last["seconds"],
        save=saved - written,
        end=ended - saved,
        per_pair=asked / last["samples"],
    )


def course_of(config: Mapping[str, Any], report: Mapping[str, Any]) -> Course:
    """The length of a run over rows that were prepared."""
    rows = int(report["rows"])
    per_epoch = math.ceil(rows / config["effective_batch_size"])
    steps = config["max_steps"] or math.ceil(config["num_epochs"] * per_epoch)
    epochs = steps / per_epoch
    saves = steps // config["save_steps"] if config["save_steps"] else 0
    saves += math.ceil(epochs) if config["checkpoint_at_epoch"] else 0
    seen = int(rows * min(1.0, epochs))
    return Course(steps, epochs, epochs * report["tokens"], _evaluations(config, steps), saves, seen)


def _evaluations(config: Mapping[str, Any], steps: int) -> int:
    """Before the first step, every eval_steps, and at the end unless that was just done."""
    if not config["data"]["eval_path"] and not config["data"]["eval_fraction"]:
        return 0
    every = config["eval_steps"]
    between = steps // every if every else 0
    at_end = not every or steps % every != 0
    return int(config["backend"].get("eval_at_start", False)) + between + at_end


def total(pace: Pace, course: Course) -> float:
    """Seconds of the whole run."""
    training = course.tokens * pace.token
    beside = course.evaluations * pace.evaluation + course.saves * pace.save + course.pairs * pace.per_pair
    return pace.start + training + beside + pace.end


def _lines(pace: Pace, course: Course) -> list[str]:
    training = course.tokens * pace.token
    parts = [
        (f"{course.steps:,} steps, {course.tokens:,.0f} tokens at {1 / pace.token:,.0f} tokens/s", training),
        ("starting", pace.start),
        (f"the reference's answers to {course.pairs:,} pairs", course.pairs * pace.per_pair),
        (f"{course.evaluations} evaluations", course.evaluations * pace.evaluation),
        (f"{course.saves} checkpoints", course.saves * pace.save),
        ("the end, with the final checkpoint", pace.end),
    ]
    shown = [f"  {duration(seconds):>9}  {text}" for text, seconds in parts if seconds > 0]
    whole = f"the run will take {duration(total(pace, course))}"
    return ["", *shown, "", f"{whole}, {duration(training / course.epochs)} of training for each epoch"]
