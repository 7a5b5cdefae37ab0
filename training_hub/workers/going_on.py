"""How a worker goes on: the checkpoint that it takes, what that must agree with, and what the run had counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training_hub import checkpoints
from training_hub.checkpoints import Checkpoint
from training_hub.errors import ConfigError, fault
from training_hub.run import RunDir

_OF_A_SOURCE = ("path", "fingerprint", "seen", "chat_template")
PROGRESS = "progress.json"  # in a checkpoint: what the run had counted and measured


def find(run: RunDir) -> Checkpoint | None:
    """The checkpoint to go on from, None for the beginning.

    Newer ones that are torn, or whose weights are not finite, are set aside, with the reason in the log.
    """
    checkpoints.clear_unfinished(run)
    search = checkpoints.latest_checkpoint(run, thorough=True)
    for path, reason in search.refused.items():
        _set_aside(path, "torn", reason)
    if search.newest and (name := _not_finite(search.newest.path)):
        _set_aside(search.newest.path, "ruined", f"{name} is not finite")
        return find(run)
    if search.newest is None:
        run.cut_back(0, 0)
    else:
        print(f"resuming from step {search.newest.step}: {search.newest.path}", flush=True)
    return search.newest


def _set_aside(path: Path, word: str, reason: str) -> None:
    aside = checkpoints.set_aside(path, word)
    print(f"{path.name}: {reason}; nothing resumes from it, it is {aside.name} now", flush=True)


def _not_finite(folder: Path) -> str | None:
    from training_hub.workers import finite  # torch, which a run that begins does not need yet

    return finite.of_folder(folder)


def facts(run: RunDir, config: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """What the seal of a checkpoint tells of its run; report: of the rows."""
    manifest = run.read_manifest()
    origin = {name: manifest.get(name) for name in ("algorithm", "backend", "model") if manifest.get(name)}
    rows = {name: report["train"][name] for name in ("fingerprint", "rows", "tokens", "trained_tokens")}
    sources = {part: told and {name: told[name] for name in _OF_A_SOURCE} for part, told in report.items()}
    return {"origin": origin, "rows": rows, "data": sources, "config": config}


def counted(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the run had counted and measured."""
    loaded: dict[str, Any] = json.loads((checkpoint.path / PROGRESS).read_text())
    return loaded


def check(checkpoint: Checkpoint, facts: dict[str, Any], data_path: str, total_steps: int) -> None:
    """ConfigError where the rows are not those that the run began with, or where it is past its end."""
    if not checkpoint.path.is_dir():
        way = "every machine must see the first one's run directory"
        raise ConfigError(fault("resume", checkpoint.path, "not found on this machine", way))
    if checkpoint.facts["rows"] != facts["rows"]:
        rule = "not the rows that the run started with"
        raise ConfigError(fault("data_path", data_path, rule, "give those, or choose another output_dir"))
    if checkpoint.step > total_steps:
        rule = f"the run has trained {checkpoint.step} steps already, more than the {total_steps} in all"
        raise ConfigError(fault("num_epochs or max_steps", total_steps, rule, "give more"))
