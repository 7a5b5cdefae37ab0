"""Give folders other names and remove them, also where the file system cannot rename.

An overlay, as containers have it, renames no folder that came with its image (EXDEV), and nothing is renamed from one
mount to another.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

UNFINISHED = ".moving-"  # begins the name of what is being copied; whatever is left of it is dead
REMOVED = ".removed-"  # begins the name of what is being removed, or is the name of a mark in it


def move(source: Path, target: Path) -> Path:
    """Rename a folder; where that cannot be done, copy it. The target is there in full or not at all."""
    try:
        return source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    copy = target.with_name(f"{UNFINISHED}{target.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, symlinks=True)
    _sync(copy)
    copy.rename(target)
    remove(source)
    return target


def remove(path: Path, telling: Iterable[str] = ()) -> None:
    """Remove a folder so that it is never taken for whole. telling: the files in it by which it would be."""
    doomed = path.with_name(f"{REMOVED}{path.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    try:
        path.rename(doomed)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        (path / REMOVED).touch()
        for name in telling:
            (path / name).unlink(missing_ok=True)
        doomed = path
    shutil.rmtree(doomed)


def clear(folder: Path) -> None:
    """Remove what a death in the middle of moving or removing left in a folder."""
    marked = (file.parent for file in folder.glob(f"*/{REMOVED}"))
    for path in (*folder.glob(f"{UNFINISHED}*"), *folder.glob(f"{REMOVED}*"), *marked):
        shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Wait until a copy is on the disk, as far as the file system lets a folder be synced."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(handle)
        os.close(handle)
