"""Let a process of its own do what needs a model's libraries: the request goes to its standard input as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


def ask(module: str, request: Mapping[str, Any], python: str | None) -> int:
    """Run `python -m module`; returns its exit status. python: null: the interpreter of this program.

    Ctrl-C reaches the process too: it cleans up before this one ends.
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))}
    with subprocess.Popen([python or sys.executable, "-m", module], stdin=subprocess.PIPE, text=True, env=env) as asked:
        try:
            asked.communicate(json.dumps(request))
        except KeyboardInterrupt:
            asked.wait()
            raise
    return asked.returncode
