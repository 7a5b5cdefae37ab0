"""Where the environments lie that `env create` makes for backends, and what they are made from."""

from __future__ import annotations

import os
from pathlib import Path

from training_hub.user import home

VARIABLE = "TRAINING_HUB_ENVS"


def folder() -> Path:
    """$TRAINING_HUB_ENVS, else `training_hub/envs` in $XDG_DATA_HOME or in ~/.local/share."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_DATA_HOME") or home() / ".local" / "share") / "training_hub" / "envs"


def python_in(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / "bin" / "python"


def python_of(backend: str) -> str | None:
    """The interpreter of a backend's own environment, None where there is none."""
    if Path(backend).name != backend:  # a path would lead out of the folder
        return None
    python = python_in(folder() / backend)
    return str(python) if python.exists() else None
