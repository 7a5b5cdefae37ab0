"""The lines of `--help`: a name, and beside it what it means."""

from __future__ import annotations

import textwrap

WIDTH = 100
NAMES = 26  # columns of the names; a longer one has a line of its own


def entry(name: str, meaning: str, column: int) -> list[str]:
    """A name and what it means, wrapped; the meaning begins at a column."""
    wrapped = textwrap.wrap(meaning, WIDTH - column, break_long_words=False, break_on_hyphens=False)
    first, *rest = wrapped or [""]
    beside = (
        [f"  {name:<{column - 2}}{first}"]
        if len(name) < column - 2 or not name
        else [f"  {name}", " " * column + first]
    )
    return [*beside, *(" " * column + line for line in rest)]
