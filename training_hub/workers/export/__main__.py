"""Export in a process of its own: `python -m training_hub.workers.export`, the request as JSON on standard input."""

from __future__ import annotations

import json
import sys

from training_hub.unexpected import status_of


def main() -> int:
    """Do what is asked for; returns 0; 1; 2 where the request does not fit the files; 130 after Ctrl-C; 70: a bug."""
    return status_of(_fulfil)


def _fulfil() -> None:
    from training_hub.workers.export.work import fulfil  # seconds, in which Ctrl-C may come

    fulfil(json.load(sys.stdin))


if __name__ == "__main__":
    sys.exit(main())
