"""Where prepared data is kept."""

from __future__ import annotations

import os
from pathlib import Path

from training_hub.user import home


def cache_folder(chosen: str | None = None) -> Path:
    """The chosen folder, or `training_hub/data` in $XDG_CACHE_HOME, or in ~/.cache."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return Path(chosen) if chosen else caches / "training_hub" / "data"
