"""The data formats as they stand in a resolved config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[1] / "conf" / "format"
LABELLED = ["alpaca", "document", "messages", "prompt_completion", "tokens"]


def formats(**columns: str) -> dict[str, dict[str, Any]]:
    """Those that come with the project. columns: `messages_column` and `document_column`, where they are set."""
    known = {"messages_column": "messages", "document_column": "document"} | columns
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(CONF.glob("*.yaml")):
        text = file.read_text()
        for name, column in known.items():
            text = text.replace(f"${{data.{name}}}", column)
        found[file.stem] = yaml.safe_load(text)
    return found
