"""Checkpoints that a run can go on from: sealed when they are complete, looked over before they are used.

A checkpoint is written in `checkpoints/.unfinished`, its files are synced and listed with their hashes in its seal, and
then it is renamed: `checkpoint-<step>` is there in full or not at all, whatever dies whenever. What a broken disk or a
copy made of it later, the hashes tell.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training_hub import moving, stored
from training_hub.errors import RunFailed
from training_hub.moving import move
from training_hub.run import RunDir, write_atomically

SEAL = "checkpoint.json"
_TELLING = (SEAL, "config.json", "adapter_config.json")  # what has one of these is a checkpoint, or a model
_FACTS = {
    "step!": int,
    "full!": bool,
    "files!": {str: {"bytes!": int, "sha256!": str}},
    "origin": {"model": {"path!": str, "sha256!": str}},
    "rows": dict,
    "data": {"train": dict, "eval": dict},
    "config": dict,
}
_NAME = re.compile(r"checkpoint-(\d+)")
_PART = 2**26  # bytes of a file that are hashed at a time, beside others
_THREADS = 8


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint with a seal.

    step: optimizer steps done. facts: what its writer said of it (full, world_size, rows, config, ...).
    """

    path: Path
    step: int
    facts: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Search:
    """newest: the checkpoint to go on from, None where there is none. refused: newer ones, each with what is wrong."""

    newest: Checkpoint | None
    refused: dict[Path, str]


def latest_checkpoint(run: RunDir, thorough: bool = False) -> Search:
    """Find the newest checkpoint of a run that can be gone on from.

    thorough: compare all hashes; else names and sizes of the files alone, which takes milliseconds.
    """
    refused: dict[Path, str] = {}
    for path in reversed(saved(run)):
        fault = fault_of(path, thorough)
        if fault is None:
            return Search(read(path), refused)
        refused[path] = fault
    return Search(None, refused)


def saved(run: RunDir) -> list[Path]:
    """The folders of a run's checkpoints, by their step, sound or not."""
    found = [path for path in run.checkpoints.glob("checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=step_of)


def step_of(path: Path) -> int:
    """The step in the name of a checkpoint's folder."""
    return int(path.name.partition("-")[2])


def read(path: Path) -> Checkpoint:
    """The checkpoint in a folder. OSError or ValueError where it has no seal that can be read."""
    facts = stored.read(path / SEAL, _FACTS)
    return Checkpoint(path, facts["step"], facts)


def fault_of(path: Path, thorough: bool) -> str | None:
    """Why nothing can go on from a folder; None for a sound checkpoint."""
    try:
        facts = read(path).facts
        files = {path / name: entry for name, entry in facts["files"].items()}
        full = facts["full"]
    except stored.Damaged:
        return f"its {SEAL} cannot be read" if stored.there(path / SEAL) else f"it has no {SEAL}"
    if not full:
        return "it holds only the weights (save_only_model)"
    for file, entry in files.items():
        size = _size(file)
        if size is None:
            return f"{file.name} is missing"
        if size != entry["bytes"]:
            return f"{file.name} has {size:,} of {entry['bytes']:,} bytes"
    if thorough:
        hashes = digests(files)
        return next((f"{file.name} has changed" for file in files if hashes[file] != files[file]["sha256"]), None)
    return None


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size if file.is_file() else None
    except OSError:  # a name that no file can have
        return None


@contextmanager
def saving(run: RunDir) -> Iterator[None]:
    """A save that fails leaves nothing behind, so that a full disk has room for the reason. RunFailed with that."""
    try:
        yield
    except Exception as error:
        free_gb = shutil.disk_usage(run.path).free / 1e9
        shutil.rmtree(run.unfinished, ignore_errors=True)
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        where = f"with {free_gb:.2f} GB free on the disk"
        raise RunFailed(f"the checkpoint could not be saved {where}: {reason}") from error


def seal(path: Path, **facts: Any) -> None:
    """Sync the files of a checkpoint to the disk and list them, with their hashes, in its seal."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    with ThreadPoolExecutor(1) as beside:
        synced = beside.submit(sync_all, path)
        hashes = digests(files)
        synced.result()
    listed = {str(file.relative_to(path)): {"bytes": file.stat().st_size, "sha256": hashes[file]} for file in files}
    write_atomically(path / SEAL, json.dumps(facts | {"files": listed}, indent=1, default=str) + "\n")
    sync(path)


def publish(unfinished: Path, place: Path) -> None:
    """Give a folder in `.unfinished` that is complete its name, in place of an older one of that name."""
    make_readable(unfinished)
    if place.exists():
        remove(place)
    move(unfinished, place)
    sync(place.parent)
    unfinished.parent.rmdir()


def make_readable(folder: Path) -> None:
    """Let whoever may read a folder read its files: safetensors writes what nobody else may read."""
    rights = folder.stat().st_mode & 0o666
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_nlink == 1:  # else it is another run's as well
            file.chmod(rights)


def prune(run: RunDir, keep: int | None, spared: Collection[Path] = ()) -> None:
    """Remove the oldest checkpoints until `keep` are left; null: none. The newest that can be gone on from stays.

    Only sealed ones count, so that none that can be gone on from makes room for one that cannot.
    """
    if keep is None:
        return
    sealed, newest = [path for path in saved(run) if (path / SEAL).is_file()], latest_checkpoint(run).newest
    kept = {*spared, newest.path} if newest else {*spared}
    removable = [path for path in sealed[:-1] if path not in kept]
    for path in removable[: max(0, len(sealed) - keep)]:
        remove(path)


def remove(path: Path) -> None:
    """Remove a checkpoint or a model so that it is never taken for whole."""
    moving.remove(path, _TELLING)


def set_aside(path: Path, word: str) -> Path:
    """Rename a checkpoint that nobody is to go on from: `checkpoint-20` -> `torn-checkpoint-20`."""
    place, number = path.with_name(f"{word}-{path.name}"), 1
    while place.exists():
        number += 1
        place = path.with_name(f"{word}-{path.name}_{number}")
    return move(path, place)


def clear_unfinished(run: RunDir) -> None:
    """Remove what a death in the middle of saving or removing left behind."""
    shutil.rmtree(run.unfinished, ignore_errors=True)
    moving.clear(run.checkpoints)


def adopt(checkpoint: Checkpoint, run: RunDir) -> None:
    """Give a run a checkpoint of another one, hard links or copies on another file system, and what led to it."""
    source = RunDir(checkpoint.path.parent.parent)
    for old, new in ((source.metrics, run.metrics), (source.samples, run.samples)):
        if old.exists():
            shutil.copyfile(old, new)
    run.unfinished.mkdir(parents=True)
    copy = run.unfinished / run.checkpoint(checkpoint.step).name
    shutil.copytree(checkpoint.path, copy, copy_function=_link)
    publish(copy, run.checkpoint(checkpoint.step))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def sync_all(path: Path) -> None:
    """Wait until a folder and all that is in it are on the disk."""
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(sync, (path, *path.rglob("*"))))


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digests(files: Iterable[Path]) -> dict[Path, str]:
    """Hash of each file: the SHA-256 of the SHA-256s of its parts of 64 MiB, which are computed beside each other."""
    files = list(files)
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = {file: pool.map(_digest, *_parts(file)) for file in files}
        return {file: hashlib.sha256(b"".join(found)).hexdigest() for file, found in parts.items()}


def _parts(file: Path) -> tuple[list[Path], list[int]]:
    starts = list(range(0, file.stat().st_size, _PART))
    return [file] * len(starts), starts


def _digest(file: Path, start: int) -> bytes:
    digest, left = hashlib.sha256(), _PART
    with file.open("rb") as stream:
        stream.seek(start)
        while left and (block := stream.read(min(left, 2**20))):
            digest.update(block)
            left -= len(block)
    return digest.digest()
