"""OmegaConf parses an interpolation each time that it resolves one: most of what checking a config takes."""

from __future__ import annotations

from functools import lru_cache

from omegaconf import base, grammar_parser


def parse_once() -> None:
    """Let OmegaConf keep what it has parsed; doing it again changes nothing."""
    if getattr(base, "parse", None) is grammar_parser.parse:
        base.parse = lru_cache(maxsize=4096)(grammar_parser.parse)  # type: ignore[attr-defined]
