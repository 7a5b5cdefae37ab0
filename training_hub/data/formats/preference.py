"""A prompt and two answers to it, of which the chosen one is the better: all text, or all messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from training_hub.data.conversation import continuation_fault, tools_fault
from training_hub.data.formats.base import TEMPLATE, Format, Render, Side, Writer
from training_hub.data.formats.prompt_completion import continued
from training_hub.data.labels import IGNORED
from training_hub.data.values import Row, decoded


@dataclass
class Preference(Format):
    """A row becomes two rows of tokens, the prompt with either answer. The fields are the names of the columns."""

    prompt: str = "prompt"
    chosen: str = "chosen"
    rejected: str = "rejected"
    kind: ClassVar[str] = "pairs"
    sides: ClassVar[int] = 2
    uses: ClassVar[frozenset[str]] = TEMPLATE | {"plain_text"}

    def __post_init__(self) -> None:
        self.columns = (self.prompt, self.chosen, self.rejected)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """Two different answers that may both follow the prompt."""
        if decoded(row[self.chosen]) == decoded(row[self.rejected]):
            return f'"{self.chosen}" equals "{self.rejected}"'
        faults = (continuation_fault(row, self.prompt, answer) for answer in (self.chosen, self.rejected))
        return tools_fault(row) or next(filter(None, faults), None)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The prompt with the chosen and with the rejected answer."""
        return [continued(row, self.prompt, answer, write) for answer in (self.chosen, self.rejected)]

    def is_conversation(self, row: Row) -> bool:
        """Whether the prompt is messages."""
        return isinstance(decoded(row.get(self.prompt)), list)

    def stored(self, folder: Path) -> Any:
        """Pairs."""
        from training_hub.data.rows import PreferenceRows

        return PreferenceRows(folder)

    def proxy(self, length: int) -> list[Side]:
        """Two answers of the same length; the first half of the row is the prompt."""
        [(ids, _)] = super().proxy(length)
        labels = ids.copy()
        labels[: length // 2] = IGNORED
        return [(ids, labels)] * 2

    def shown(self, rows: Any, number: int, render: Render) -> Iterator[tuple[str, Any]]:
        """The prompt and both answers."""
        for heading, ids in rows[number]._asdict().items():
            yield heading, render(ids, None)
