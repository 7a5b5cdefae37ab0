"""What a backend was tested with, from `conf/backend/NAME.tested.json`: versions of libraries, and their arguments."""

from __future__ import annotations

import json
from typing import Any

from training_hub.config import groups


def recorded(backend: str) -> dict[str, Any]:
    """{"versions": {distribution: version}, "arguments": {target: {name: `int = 3`}}}; empty where nothing was."""
    file = groups.CONF / "backend" / f"{backend}.tested.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {"versions": {}, "arguments": {}}


def tested_arguments(backend: str, target: str) -> dict[str, str] | None:
    """The arguments of a library's class or function as they were tested, with their types; None for an unknown one."""
    found = recorded(backend)["arguments"].get(target)
    return found and {name: declared.partition(" = ")[0] for name, declared in found.items()}
