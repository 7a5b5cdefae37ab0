"""A secret of the environment has no place in a config: everything in it is written to the run directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from training_hub.errors import fault

_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)S?$", re.IGNORECASE)
_SHORTEST = 8
_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/@:]*:[^/@]+@", re.IGNORECASE)
_WAY = "give it by the environment, e.g. MLFLOW_TRACKING_PASSWORD"


def secret_faults(config: Mapping[str, Any]) -> list[str]:
    """Values that hold a secret of the environment, one line each; the secret itself is not shown."""
    secrets = _of_environment()
    return [
        fault(key, "***", f"holds {name}, and would be written to the run directory", f"drop it, {name} is enough")
        for key, text in _texts(config, "")
        for name, value in secrets.items()
        if value in text
    ] + [
        fault(key, "***", "holds a password, and would be written to the run directory", _WAY)
        for key, text in _texts(config, "")
        if _WITH_PASSWORD.match(text)
    ]


def redacted(text: str) -> str:
    """The text without what is known to be secret: values of the environment, passwords in addresses."""
    for value in sorted(_of_environment().values(), key=len, reverse=True):
        text = text.replace(value, "***")
    return _WITH_PASSWORD.sub("***@", text)


def _of_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST}


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a config, with its dotted path."""
    if isinstance(node, str):
        yield path, node
    inner = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from _texts(value, f"{path}.{key}" if path else str(key))
