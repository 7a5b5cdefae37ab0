"""Paths, and the folders of runs, that begin as was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path


def of_word(completes: str, current: str) -> Iterator[str]:
    """What may stand for a word that a verb declares: see `Word.completes`."""
    if completes == "run":
        yield from below(current, Path.is_dir)
        if not current:
            yield from _newest_runs()
    elif completes == "path":
        yield from below(current)
    elif completes.startswith("group:"):
        from training_hub.config.choices import options

        yield from options(completes.removeprefix("group:"))
    else:
        yield from completes.split()


def below(current: str, wanted: Callable[[Path], bool] = Path.exists) -> Iterator[str]:
    """The files and folders whose path begins so; a folder ends in a slash, and hidden ones are left out."""
    head, _, begin = current.rpartition("/")
    folder = f"{head}/" if "/" in current else ""
    place = Path(folder or ".").expanduser()
    try:
        found = sorted(place.iterdir())
    except OSError:
        return
    for each in found:
        shown = begin.startswith(".") or not each.name.startswith(".")
        if each.name.startswith(begin) and shown and wanted(each):
            yield f"{folder}{each.name}{'/' if each.is_dir() else ''}"


def _newest_runs() -> Iterator[str]:
    """The newest runs in `outputs/`: of each folder in it, the last by name, which is the date."""
    for place in sorted(Path("outputs").glob("*")):
        runs = sorted(each for each in place.glob("*") if (each / "manifest.json").is_file())
        yield from (f"{each}/" for each in runs[-5:])
