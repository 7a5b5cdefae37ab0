"""Work in threads and in processes."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator

import pytest

from training_hub.data.parallel import in_processes, in_threads


def test_results_come_in_order() -> None:
    assert list(in_threads(lambda number: number * 2, range(50), 3)) == list(range(0, 100, 2))


def test_only_a_few_items_are_taken_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_threads(lambda number: number, items(), 2)
    next(results)
    assert len(taken) <= 6
    results.close()  # type: ignore[attr-defined]


def test_processes_do_the_same() -> None:
    assert list(in_processes(math.sqrt, [4.0, 9.0, 16.0], 2)) == [2.0, 3.0, 4.0]


def test_a_failure_in_a_process_is_passed_on() -> None:
    with pytest.raises(ValueError, match="math"):
        list(in_processes(math.sqrt, [4.0, -1.0], 1))


def test_no_more_threads_are_used_than_asked_for() -> None:
    names = set(in_threads(lambda _: threading.current_thread().name, range(100), 2))
    assert len(names) <= 2


def test_a_failure_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 // number, [1, 0, 1], 2))


@pytest.mark.parametrize("before", [None, "true"])
def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    if before:
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", before)
    assert list(in_threads(lambda _: os.environ["TOKENIZERS_PARALLELISM"], [0], 1)) == ["false"]
    assert os.environ.get("TOKENIZERS_PARALLELISM") == before
