"""Ctrl-C, and SIGTERM, which `make`, `timeout` and batch systems send, as a number that grows: no exception."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stops:
    """How often somebody asked this process to stop: once is a wish, twice an order."""

    count = 0


@contextmanager
def counted_stops() -> Iterator[Stops]:
    """Count both signals while the block lasts. Only in the main thread: another one's host process has its own."""
    stops = Stops()

    def heard(*_: object) -> None:
        stops.count += 1

    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = [(number, signal.signal(number, heard)) for number in numbers]
    try:
        yield stops
    finally:
        for number, handler in before:
            signal.signal(number, handler)
