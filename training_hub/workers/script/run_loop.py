"""From the config to the result, with a library's training script in between."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from training_hub.data import notes
from training_hub.data.prepare import Prepared, prepare
from training_hub.errors import ConfigError, RunFailed, fault, ruined
from training_hub.run import RunDir
from training_hub.workers import rise
from training_hub.workers.script import checkpoints, rows
from training_hub.workers.script.follow import Follower
from training_hub.workers.script.library import Library
from training_hub.workers.script.listen import Listeners
from training_hub.workers.script.process import Ended, Script, machine
from training_hub.workers.script.states import States
from training_hub.workers.tokenizer import load as load_tokenizer


def train(run: RunDir, config: dict[str, Any], command: Sequence[str], library: Library) -> dict[str, Any]:
    """Train with a library's script; returns what a worker returns: checkpoint_path, metrics, status.

    command: torchrun with the script. ConfigError where model, tokenizer or rows do not fit, RunFailed where the
    script failed, or its loss, its gradients or its weights are not finite.
    """
    from training_hub.workers import weights  # torch

    weights.check_files(config["model"])
    first = machine(command) == 0
    listeners = Listeners(run, config if first else {})
    checkpoint = checkpoints.begin(run) if first else None
    data = prepare(load_tokenizer(config["model"]), config["data"])
    fits(data, library)
    rows.write(run, data)
    steps = library.total_steps(len(data.train))
    follower = Follower(run, library)
    states = States(run, config, library, follower, data.report)
    if first:
        describe(run, config, data, library, steps)
        states.go_on(checkpoint, steps)
        follower.tell, listeners.write = listeners.row, follower.write_logged
        listeners.begin(follower.step, steps)
    ended = run_script(run, command, library, states.poll if first else lambda: None)
    unfinished = ended.asked and not 0 < steps <= follower.step
    if ended.status and not unfinished:
        raise RunFailed(f"{library.module} ended with exit status {ended.status}: {cause(run)}")
    listeners.end()
    path = checkpoints.gather(run, library.saves_at_end and not unfinished) if first else None
    if first and (name := checkpoints.ruined(run)):
        raise RunFailed(ruined(name, follower.step))
    if path:
        rows.save_chat_template(config, path)
    status, metrics = "interrupted" if unfinished else "completed", follower.final(steps)
    warnings = [] if unfinished else rise.of_run(metrics)
    return {
        "checkpoint_path": str(path) if path else None, "metrics": metrics, "status": status, "warnings": warnings,
    }  # fmt: skip


def run_script(run: RunDir, command: Sequence[str], library: Library, each_tick: Callable[[], None]) -> Ended:
    """Run the script to its end, and note the arguments that it has understood."""
    try:
        return Script(run, command, variables(run, library), library.saves_on_demand).follow(each_tick)
    finally:
        run.update_manifest(arguments=library.arguments(run.library))


def fits(data: Prepared, library: Library) -> None:
    """ConfigError where a row is longer than what one process holds at a time: the libraries leave it out."""
    longest = max(int(part.lengths.max()) for part in (data.train, data.eval) if part is not None)
    if longest > library.max_tokens:
        rule = f"the longest row has {longest} tokens, and {library.name} would leave it out"
        way = f"give at least {longest}, or cut the rows with max_seq_len"
        raise ConfigError(fault("max_tokens_per_gpu", library.max_tokens, rule, way))


def describe(run: RunDir, config: dict[str, Any], data: Prepared, library: Library, steps: int) -> None:
    """Write to the manifest what is known before the script starts."""
    for text in notes.warnings(data.report):
        print(f"warning: {text}", flush=True)
    names = ("torch", "transformers", "datasets", "accelerate", "flash-attn", library.distribution)
    run.update_manifest(
        total_steps=steps,
        world_size=config["launcher"]["world_size"],
        versions={name: _version(name) for name in names},
        data=data.report,
    )


def variables(run: RunDir, library: Library) -> dict[str, str]:
    """The environment of the script; its copy of the rows goes with the run."""
    return {**os.environ, "HF_DATASETS_CACHE": str((run.prepared / "cache").absolute()), **library.variables}


def cause(run: RunDir) -> str:
    """The last exception in the log that is not torchrun's own, in one line."""
    log = re.sub(r"^\[rank\d+\]:", "", run.log_tail(400), flags=re.MULTILINE)
    found = re.findall(r"^ ?([\w.]+(?:Error|Exception)): *\n? *(.+)", log, flags=re.MULTILINE)
    errors = [f"{name}: {text}" for name, text in found if not name.endswith("ChildFailedError")]
    return errors[-1] if errors else "see the log"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
