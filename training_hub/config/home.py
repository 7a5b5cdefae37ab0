"""`~` in paths: expanded once, before anything reads them, so that all see the same folder."""

from __future__ import annotations

import os
import re

from omegaconf import DictConfig, OmegaConf

PATHS = (
    "model_path", "data_path", "eval_data_path", "output_dir", "resume", "model.path", "data.path", "data.eval_path",
    "data.chat_template", "data.cache_dir", "backend.python",
)  # fmt: skip


def literal(text: str) -> str:
    """A text that OmegaConf takes as it is: a path may have `${` in it."""
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", text)


def expand_home(cfg: DictConfig) -> None:
    """Put the home folder in place of a leading `~`, in place; an interpolation gets it from what it refers to."""
    for path in PATHS:
        parent, _, last = path.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        value = node._get_node(last) if isinstance(node, DictConfig) else None
        text = value._value() if value is not None else None
        if isinstance(text, str) and text.startswith("~"):
            node[last] = literal(os.path.expanduser(text))  # noqa: PTH111  Path refuses the home of a user who does not exist
