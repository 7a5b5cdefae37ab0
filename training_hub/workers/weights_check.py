"""Check a model's weights where their files are here. Reads {"model", "kind"} as JSON from standard input."""

from __future__ import annotations

import contextlib
import json
import os
import sys

from training_hub.trainers.base import ModelKind
from training_hub.unexpected import status_of


def main() -> int:
    """Compare names and shapes with the architecture; returns 0, 2 where they do not fit; 130 after Ctrl-C."""
    return status_of(_check)


def _check() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"  # what is not here is downloaded by the job
    with contextlib.redirect_stdout(sys.stderr):  # libraries may print
        from training_hub.workers import weights

        asked = json.load(sys.stdin)
        if weights.at_hand(asked["model"]):
            weights.check_files(asked["model"], values=False, kind=ModelKind(**asked["kind"]))
    print("null")


if __name__ == "__main__":
    sys.exit(main())
