"""Show prepared rows to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.text import Text

from training_hub.data.labels import IGNORED
from training_hub.terminal import harmless

TRAINED = "bold green"
_ROWS = 12
_BAR = 40


def histogram(lengths: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """Draw the distribution of row lengths (tokens) in plain text, one line for each range of equal width."""
    values = np.asarray(lengths)
    if not len(values):
        return "no rows"
    width = max(1, -(-int(values.max() - values.min() + 1) // _ROWS))
    counts = np.bincount((values - values.min()) // width)
    digits, tallies = len(f"{values.max() + width:,}"), len(f"{counts.max():,}")
    lines = []
    for number, count in enumerate(counts):
        start = int(values.min()) + number * width
        bar = "█" * max(round(_BAR * int(count) / int(counts.max())), min(int(count), 1))
        lines.append(f"{start:>{digits},} - {start + width - 1:>{digits},} tokens {count:>{tallies},} {bar}".rstrip())
    return "\n".join(lines)


def render(tokenizer: Any, input_ids: Sequence[int], labels: Sequence[int] | None, brackets: bool = False) -> Text:
    """The text of a row, its trained tokens highlighted, or in [brackets] as well. Special tokens are shown.

    labels: None where none of it is to be marked.
    """
    if labels is None:
        return Text(harmless(tokenizer.decode(np.asarray(input_ids).tolist())))
    ids, trained = np.asarray(input_ids), np.asarray(labels) != IGNORED
    text = Text()
    starts = np.flatnonzero(np.diff(trained, prepend=~trained[:1]))
    for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
        part = harmless(tokenizer.decode(ids[start:stop].tolist()))
        marked = f"[{part}]" if brackets and trained[start] else part
        text.append(marked, style=TRAINED if trained[start] else "dim")
    return text
