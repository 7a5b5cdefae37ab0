"""Ctrl-C, and SIGTERM, which `make`, `timeout` and batch systems send: counted, or both as KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PassedOn(KeyboardInterrupt):
    """A wish to stop that was heard, and answered, by whoever starts several runs."""


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


@contextmanager
def terminate_like_ctrl_c() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt too while the block lasts. Only in the main thread, as above."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def deaf() -> Iterator[None]:
    """Neither signal is heard while the block lasts. Only in the main thread, as above."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
