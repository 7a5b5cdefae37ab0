"""An end to code that may never end: Python code of others, such as a chat template, run in this thread."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class TooLong(BaseException):
    """Raised in the thread that took too long; no `except Exception` of the code that runs there keeps it."""


class _Watch:
    """One thread that looks after all others: a thread of its own for each row would cost as much as the row."""

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}
        self._lock = threading.Lock()
        self._running = False

    def begin(self, thread: int, seconds: float) -> None:
        with self._lock:
            self._ends[thread] = time.monotonic() + seconds
            if not self._running:
                self._running = True
                threading.Thread(target=self._look, daemon=True).start()

    def end(self, thread: int) -> None:
        with self._lock:
            self._ends.pop(thread, None)

    def _look(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                if not self._ends:
                    self._running = False
                    return
                for thread, end in list(self._ends.items()):
                    if end < time.monotonic():
                        del self._ends[thread]
                        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TooLong))


_watch = _Watch()


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block where it takes longer, within about a second, as soon as Python code runs in it."""
    thread = threading.get_ident()
    _watch.begin(thread, seconds)
    try:
        yield
    finally:
        _watch.end(thread)
