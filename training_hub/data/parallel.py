"""Use all cores, in threads or in processes, and keep the order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_SWITCH = "TOKENIZERS_PARALLELISM"
_work: Callable[[Any], Any]  # what a process of ours does, sent to it once


def cores_of(num_proc: int | None) -> int:
    """The number of cores to use: num_proc, or all that this process may run on."""
    return num_proc or len(os.sched_getaffinity(0))


def in_threads(work: Callable[[Given], Made], items: Iterable[Given], threads: int) -> Iterator[Made]:
    """Apply `work`, which releases the GIL for most of its time, to items; in order, only a few items ahead."""
    with _single_threaded_tokenizers(), ThreadPoolExecutor(threads) as pool:
        yield from _in_order(pool, work, items, 2 * threads)


def in_processes(work: Callable[[Given], Made], items: Iterable[Given], processes: int) -> Iterator[Made]:
    """The same in processes, started afresh: one that was forked off a program with threads may hang."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _begin, (work,)) as pool:
        yield from _in_order(pool, _go_on, items, 2 * processes)


def _in_order(pool: Executor, work: Callable[[Given], Made], items: Iterable[Given], ahead: int) -> Iterator[Made]:
    pending: deque[Future[Made]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(work: Callable[[Any], Any]) -> None:
    global _work  # noqa: PLW0603  a process of the pool has one task in its life
    _work = work
    os.environ[_SWITCH] = "false"


def _go_on(item: Any) -> Any:
    return _work(item)


@contextmanager
def _single_threaded_tokenizers() -> Iterator[None]:
    """Have the tokenizers library keep to the thread that calls it, so that no more cores are used than asked for."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before
