"""Export in a process of its own: `python -m training_hub.workers.export`, the request as JSON on standard input."""

from __future__ import annotations

import json
import sys

from training_hub.errors import HubError


def main() -> int:
    """Do what is asked for; returns 0, 1, or 2 where the request does not fit the files; 130 after Ctrl-C."""
    try:
        from training_hub.workers.export.work import fulfil  # seconds, in which Ctrl-C may come

        fulfil(json.load(sys.stdin))
    except HubError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
