"""Where prepared data is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(chosen: str | None = None) -> Path:
    """The chosen folder, or `training_hub/data` in $XDG_CACHE_HOME, or in ~/.cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else home / "training_hub" / "data"
