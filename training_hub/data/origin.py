"""What a run's rows were, so that it never goes on, or counts as done, with others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from training_hub.data.cache import fingerprint
from training_hub.errors import fault

_SETTLED_S = 60.0  # times of files are coarse, and clocks of machines differ
_WAY = "restore it, or choose another output_dir"


def seen(path: str) -> str | None:
    """Sizes, times and numbers of a source's files, as a hash: another one whenever anything is written.

    A file's time of change cannot be set, so the same value means the same content, without a look at it. None where a
    file is so new that a further change might not show, and for what is not on this machine.
    """
    try:
        told = [(str(file), *_stamps(file)) for file in _files(Path(path))]
    except OSError:
        return None
    newest = max((max(changed, written) for _, _, _, changed, written in told), default=time.time_ns())
    if time.time_ns() - newest < _SETTLED_S * 1e9:
        return None
    return hashlib.sha256(repr(told).encode()).hexdigest()


def faults(data: Mapping[str, Any], before: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    """A line for each source that is not the one that a run read.

    data, before: the data nodes of the resolved configs, now and then. told: what a worker reported of the rows that it
    read, see `Prepared`; of a source that it tells nothing of, only the paths are compared. So it is with a dataset on
    the hub: its name is all that can be compared here.
    """
    train = told.get("train") or {}
    yield from _of_source("data_path", data["path"], before["path"], train)
    now, then = data["eval_path"], before.get("eval_path")
    if now is not None and then is not None:
        yield from _of_source("eval_data_path", now, then, told.get("eval") or {})
    elif now != then:
        began = "without held-out rows" if then is None else f"with the held-out rows {then}"
        yield fault("eval_data_path", now, f"the run started {began}", "drop it" if then is None else "give these")
    template, known = data["chat_template"], train.get("chat_template")
    if template is not None and known and template_digest(Path(template).read_text()) != known:
        yield fault("data.chat_template", template, "its content has changed since the run began", _WAY)


def template_digest(source: str) -> str:
    """What tells a chat template from others."""
    return hashlib.sha256(source.encode()).hexdigest()


def _of_source(name: str, path: str, path_before: str, told: Mapping[str, Any]) -> Iterator[str]:
    if _is_same(path, path_before, told):
        return
    place = str(told.get("path") or path_before)
    if Path(path).absolute() == Path(place).absolute():
        yield fault(name, path, "its content has changed since the run began", _WAY)
    else:
        rule = f"not the rows of {place}, which the run started with"
        yield fault(name, path, rule, "give those, or choose another output_dir")


def _is_same(path: str, path_before: str, told: Mapping[str, Any]) -> bool:
    if not Path(path).exists() or not told.get("fingerprint"):
        return path == path_before
    now = seen(path)
    if now is not None and now == told.get("seen"):
        return True
    return bool(_fingerprint(path, now or str(time.time_ns())) == told["fingerprint"])


@lru_cache(maxsize=64)
def _fingerprint(path: str, _seen: str) -> str:
    """The fingerprint of what is on this machine; read once for all runs of a sweep while it is untouched."""
    return fingerprint(path)


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(each for each in place.rglob("*") if each.is_file() and not each.name.startswith("cache-"))
    return [place]


def _stamps(file: Path) -> tuple[int, int, int, int]:
    found = file.stat()
    return found.st_size, found.st_ino, found.st_ctime_ns, found.st_mtime_ns
