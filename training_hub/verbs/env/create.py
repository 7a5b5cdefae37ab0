"""`env create`: make an environment beside its place, and put it there when it is whole."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from training_hub import moving
from training_hub.config.choices import lock_of, read_option
from training_hub.errors import ConfigError, HubError, enumerate_names, fault
from training_hub.installed import environments
from training_hub.installed.interpreter import missing_requirements, too_old
from training_hub.machine.signals import terminate_like_ctrl_c
from training_hub.verbs.env import uv

_NOTE = "training_hub.json"


def is_current(backend: str) -> bool:
    """Whether the lock that made a backend's environment is the one of today."""
    note = environments.folder() / backend / _NOTE
    return note.is_file() and json.loads(note.read_text())["lock"] == _digest(backend)


def _digest(backend: str) -> str:
    return sha256(lock_of(backend).read_bytes()).hexdigest()[:16]


def create(backend: str, torch: str | None = None, python: str | None = None) -> Path:
    """Make a backend's environment; returns its folder. It is there in full or not at all.

    torch: a build of torch as uv names them (`cpu`, `cu130`, `auto`), else what the package index offers. python: a
    version or a path, else the interpreter that runs this program. HubError where uv fails.
    """
    program, place = uv.find(), environments.folder() / backend
    with _alone(place), terminate_like_ctrl_c():
        if place.exists():
            raise ConfigError(f"env create {backend}: {place} is there; to make it anew: env remove {backend}")
        unfinished = place.with_name(f".{backend}")
        shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that was killed
        try:
            _fill(program, backend, unfinished, torch, python or sys.executable)
            moving.move(unfinished, place)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return place


def _fill(program: str, backend: str, place: Path, torch: str | None, base: str) -> None:
    # Relocatable: its scripts do not hold the name that it has while it is being made.
    uv.run(program, "venv", "--quiet", "--relocatable", "--python", base, str(place), told={})
    python = str(environments.python_in(place))
    if old := too_old(python):
        raise ConfigError(fault("python", base, old[0].partition(": ")[2]))
    requires = read_option("backend", backend)["requires"]
    # The lock constrains and does not list: a build of torch without CUDA brings none of CUDA's packages.
    options = [
        "--python",
        python,
        "--constraints",
        str(lock_of(backend)),
        *([f"--torch-backend={torch}"] * bool(torch)),
    ]
    uv.run(program, "pip", "install", *options, *requires, told=uv.told_by_pip())
    if missing := missing_requirements(requires, python):
        raise HubError(f"env create {backend}: the environment lacks {enumerate_names(missing)}")
    (place / _NOTE).write_text(json.dumps({"lock": _digest(backend), "torch": torch}) + "\n")


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other processes from making or removing environments meanwhile. ConfigError where one does."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(place.parent, os.O_RDONLY)
        if not os.access(place.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        way = f"set {environments.VARIABLE} to another folder"
        raise ConfigError(f"{place.parent}: cannot be written, {error.strerror}; {way}") from None
    try:
        _lock(folder, place.parent)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"{path}: another process is at work there; wait for its end") from None


def remove(backend: str) -> Path:
    """Remove a backend's environment; returns where it was. ConfigError where there is none."""
    place = environments.folder() / backend
    if not place.exists():
        raise ConfigError(f"env remove {backend}: there is none in {environments.folder()}")
    with _alone(place):
        moving.remove(place, ["bin/python"])  # a half of it is never used
    return place
