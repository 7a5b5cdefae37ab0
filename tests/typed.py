"""Words of a command, each setting once."""

from __future__ import annotations

from collections.abc import Sequence


def beside(given: Sequence[str], typed: Sequence[str]) -> list[str]:
    """What is given but for the settings that are typed, then these."""
    names = {text.partition("=")[0] for text in typed}
    return [text for text in given if text.partition("=")[0] not in names] + [*typed]
