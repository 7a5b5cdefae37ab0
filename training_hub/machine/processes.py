"""The processes of a run on this machine (Linux), found by what they have inherited or hold open."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

# In the environment of a worker and so of all that it starts, in whatever session and under whatever parent.
MARK = "TRAINING_HUB_PROCESSES"
_TICK_S = 0.01
_PR_SET_PDEATHSIG = 1
# Looked up here: a process that was just forked off a program with threads may wait for the loader's lock for ever.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def end_with(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent dies, however that dies."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it has died already
        os.kill(os.getpid(), number)


def how_it_ended(status: int) -> str:
    """The exit status of a worker as a person reads it; negative where a signal ended it, as `subprocess` has it."""
    return f"the worker was killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def marked(mark: str) -> list[int]:
    """Living processes that have the mark in their environment."""
    return list(_found(lambda process: mark == mark_of(process)))


def mark_of(process: Path) -> str | None:
    """The mark in the environment of a process, given by its folder in /proc; OSError where it is not ours."""
    words = (process / "environ").read_bytes().split(b"\0")
    return next((word.decode()[len(MARK) + 1 :] for word in words if word.startswith(f"{MARK}=".encode())), None)


def holders(file: Path) -> list[int]:
    """Processes that have a file open."""
    return list(_found(lambda process: any(each.resolve() == file.resolve() for each in (process / "fd").iterdir())))


def _found(wanted: Callable[[Path], bool]) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or one that has just ended
            if wanted(process):
                yield int(process.name)


def kill_marked(mark: str) -> None:
    """Kill every process with the mark; returns when none is left."""
    while left := marked(mark):
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(_TICK_S)
