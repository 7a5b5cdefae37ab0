"""What a user is told about prepared data before it is trained on. Light: only the standard library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

_SOURCES = {"train": "data_path", "eval": "eval data"}
_SHOWN = 5
_WAYS = {  # what can be done, by how a note begins
    "the prompt for the assistant": "set the template's variables with data.chat_template_kwargs, put the reasoning "
    "into reasoning_content, or give another template with data.chat_template=FILE",
    "the chat template writes no token": "so the model does not learn to stop there; give a template that does with "
    "data.chat_template=FILE",
    "the assistant's last turn ends": "so generation may not stop; data.end_of_turn=TOKEN adds one that ends it",
}


def warnings(report: Mapping[str, Any]) -> list[str]:
    """One line for everything about the parts of a data report that is not as in generation, or is left out."""
    lines = (line for name in _SOURCES for line in _of_part(name, report.get(name)))
    return list(dict.fromkeys(lines))


def _of_part(name: str, part: Any) -> Iterator[str]:
    if not isinstance(part, Mapping):
        return
    left_out = {f"the chat template does not write their {what}": rows for what, rows in _of(part, "left_out").items()}
    told = Counter(_of(part, "notes") | left_out).most_common()
    for note, rows in told[:_SHOWN]:
        way = next((f"; {way}" for begins, way in _WAYS.items() if note.startswith(begins)), "")
        yield f"{_SOURCES[name]}={part.get('path')}: {rows:,} of {part.get('rows_read', 0):,} rows: {note}{way}"
    if len(told) > _SHOWN:
        yield f"{_SOURCES[name]}={part.get('path')}: {len(told) - _SHOWN} more kinds of such rows, in manifest.json"


def _of(part: Mapping[str, Any], key: str) -> dict[str, int]:
    return {str(what): rows for what, rows in (part.get(key) or {}).items() if isinstance(rows, int)}
