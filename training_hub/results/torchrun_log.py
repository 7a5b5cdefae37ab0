"""What torchrun says at its end, in the log of a run: which process a signal ended."""

from __future__ import annotations

import re
import signal
from dataclasses import replace

from training_hub.run import RunDir, TrainResult

_SUMMARY = re.compile(
    r"^Traceback \(most recent call last\):\n(?:  .*\n)+torch\.distributed\.elastic\.multiprocessing\.errors"
    r"\.ChildFailedError: *\n=+\n(?:(?!=).*\n)+=+(?:\n|\Z)",
    flags=re.MULTILINE,
)
_KILLED = re.compile(
    r"^Root Cause \(first observed failure\):\n\[\d+\]:\n(?:  .*\n)*?"
    r"  rank *: (?P<rank>\d+) .*\n  exitcode *: -(?P<signal>\d+) ",
    flags=re.MULTILINE,
)
_LONGEST_BYTES = 262_144  # of the log's end, where torchrun's words are


def killed(log: str) -> str | None:
    """`rank 1 was killed by SIGKILL`; None where the first process that failed ended by itself."""
    found = _KILLED.search(log)
    if found is None:
        return None
    number = signal.Signals(int(found["signal"]))
    hint = "; unless somebody did that, memory was short" if number is signal.SIGKILL else ""
    return f"rank {found['rank']} was killed by {number.name}{hint}"


def without_summary(log: str) -> str:
    """The log without torchrun's own traceback, which would hide the last words of those that failed."""
    return _SUMMARY.sub("", log)


def blame_killed(run: RunDir, since: int) -> None:
    """Have the result name the process that a signal ended: the others say only that their connection was reset.

    since: bytes of the log when the processes began; what is before is of an earlier life.
    """
    result, name = run.read_result(), killed(run.log_since(max(since, run.log_size() - _LONGEST_BYTES)))
    if name and (result.status == "failed" if result else not run.stop_requested()):
        run.update_manifest(status="failed")
        run.write_result(replace(result or TrainResult("failed", str(run.path)), error=name))
