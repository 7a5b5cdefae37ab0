"""Texts as they should be, one file each. `UPDATE_GOLDEN=1 pytest ...` rewrites them: look at the difference then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest


def assert_golden(name: str, text: str, replaced: Mapping[str, str] | None = None) -> None:
    """Compare a text with the file of this name; replaced: what differs from machine to machine -> its stand-in."""
    for found, stand_in in (replaced or {}).items():
        text = text.replace(found, stand_in)
    file = Path(__file__).parent / name
    if os.environ.get("UPDATE_GOLDEN", "0") not in ("", "0"):
        file.write_text(f"{text}\n")
    if not file.exists():
        pytest.fail(f"{file} is missing; UPDATE_GOLDEN=1 writes it")
    assert text.splitlines() == file.read_text().splitlines()
