"""What a value refers to."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import OmegaConf

_REFERENCE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*\}")


def references(node: Any) -> set[str]:
    """Root keys that an unresolved node refers to, at any depth."""
    text = str(OmegaConf.to_container(node) if OmegaConf.is_config(node) else node)
    return {match.split(".")[0] for match in _REFERENCE.findall(text)}
