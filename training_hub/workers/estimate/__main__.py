"""Estimate in a process of its own: configs as JSON on standard input, what each holds as JSON on standard output."""

from __future__ import annotations

import contextlib
import json
import sys

from training_hub.unexpected import status_of


def main() -> int:
    """Go through a step of each config; returns 0; 2 where one does not fit the files; 130 after Ctrl-C; 70: a bug."""
    return status_of(_answer)


def _answer() -> None:
    with contextlib.redirect_stdout(sys.stderr):  # libraries may print
        from training_hub.workers.estimate import memory  # seconds, in which Ctrl-C may come

        found = [memory.held(config) for config in json.load(sys.stdin)]
    print(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
