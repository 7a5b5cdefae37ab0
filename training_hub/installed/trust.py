"""What may be imported and executed, and on whose word: never that of a config file or of a run folder alone.

Classes and functions come from this package, from an installed extension, from a package that TRAINING_HUB_TARGETS
names, or from one that was allowed here (`allow`). An interpreter is the one that runs this program, that of an
environment which `env create` has made, or one that was allowed here. What the user typed and what a file says is told
apart in `config/words.py` and `vouched.py`, which allow; everything asks here that imports or executes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.installed import environments
from training_hub.installed.extensions import extensions

OWN = "training_hub"
WORKERS = "training_hub.workers."
ALLOWED_VARIABLE = "TRAINING_HUB_TARGETS"
_allowed_packages: set[str] = set()
_allowed_pythons: set[str] = set()
_allowed_folders: set[str] = set()


def allow(packages: Iterable[str] = (), pythons: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
    """Trust packages (dotted names), interpreters and folders of config options for the rest of this process."""
    _allowed_packages.update(packages)
    _allowed_pythons.update(pythons)
    _allowed_folders.update(folders)


def allow_config(config: Mapping[str, Any]) -> None:
    """Trust what a resolved config names: one that this user has written, or has vouched for."""
    python = (config.get("backend") or {}).get("python")
    allow({name.partition(".")[0] for name in imported(config)}, [str(python)] if python else [])


def imported(config: Mapping[str, Any]) -> list[str]:
    """What a worker imports by its name in a config."""
    loggers, callbacks = config.get("logger") or {}, config.get("callbacks") or {}
    backend, formats = config.get("backend") or {}, (config.get("data") or {}).get("formats") or {}
    names = [backend.get("worker"), backend.get("trainer"), *(node.get("worker") for node in loggers.values())]
    named = (node.get("_target_") for node in (*callbacks.values(), *formats.values()))
    return [str(name) for name in (*names, *named) if name]


def vouches_for(file: Path) -> bool:
    """Whether a file of options lies in a folder that is trusted."""
    return any(file.is_relative_to(each) for each in _allowed_folders)


def packages() -> Iterator[str]:
    """The packages, or modules, that code may be taken from; the cheapest to know first."""
    yield OWN
    yield from _allowed_packages
    yield from filter(None, map(str.strip, os.environ.get(ALLOWED_VARIABLE, "").split(",")))
    yield from (each.package for each in extensions())


def is_trusted(name: str) -> bool:
    """Whether a dotted name lies in a package that code may be taken from."""
    return any(f"{name}.".startswith(f"{each}.") for each in packages())


def for_workers(targets: Iterable[str]) -> dict[str, str]:
    """The variable by which workers, also under another interpreter, trust the packages of these dotted names too."""
    needed = {each for target in targets for each in packages() if f"{target}.".startswith(f"{each}.")} - {OWN}
    given = filter(None, map(str.strip, os.environ.get(ALLOWED_VARIABLE, "").split(",")))
    return {ALLOWED_VARIABLE: ",".join(sorted(needed.union(given)))} if needed else {}


def refusal(target: str, key: str = "_target_") -> str | None:
    """Why nothing is imported to find a dotted name: one fault, None where it may be. key: what names it."""
    parts = target.split(".")
    if not all(map(str.isidentifier, parts)):
        return fault(key, target, "not a dotted name", "give package.module.Class")
    if is_trusted(target):
        return None
    way = f"set {ALLOWED_VARIABLE}={parts[0]} if you trust it"
    return fault(key, target, f"code of {parts[0]} is not run from a config", way)


def worker_refusal(target: str, key: str) -> str | None:
    """Why a worker does not import a dotted name: as `refusal`, and of this package it takes its workers alone."""
    if f"{target}.".startswith(f"{OWN}.") and not target.startswith(WORKERS):
        return fault(key, target, "not a worker of this package", "drop it")
    return refusal(target, key)


def may_run(python: str) -> bool:
    """Whether an interpreter may be executed."""
    return python in _allowed_pythons or is_own(python) or _is_made(python)


def refuse_python(python: str) -> None:
    """ConfigError where an interpreter may not be executed."""
    if not may_run(python):
        rule = "executes code, so a file alone cannot set it"
        raise ConfigError(fault("backend.python", python, rule, "type it, or add trust=true if you trust the file"))


def is_own(python: str) -> bool:
    """Whether that is the interpreter that runs this program."""
    return Path(python).absolute() == Path(sys.executable).absolute()


def _is_made(python: str) -> bool:
    """Whether it is the interpreter of an environment made by `env create`."""
    path = Path(python)
    return ".." not in path.parts and path == environments.python_in(environments.folder() / path.parent.parent.name)
