"""Prompts that a model answers while it is trained; all further columns go with them, for rewards and graders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from training_hub.data import kept
from training_hub.data.conversation import tools_fault, turns_fault
from training_hub.data.formats.base import TEMPLATE, Format, Render, Side, Writer
from training_hub.data.labels import IGNORED
from training_hub.data.values import Row, decoded, text_fault


@dataclass
class Prompt(Format):
    """A prompt, text or messages. column: its name; every other column arrives in the worker as it is in the source."""

    column: str = "prompt"
    kind: ClassVar[str] = "prompts"
    is_trained: ClassVar[bool] = False
    uses: ClassVar[frozenset[str]] = TEMPLATE - {"end_of_turn"} | {"plain_text"}

    def __post_init__(self) -> None:
        self.columns = (self.column,)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """A prompt that can be answered, and columns that can be stored."""
        prompt = decoded(row[self.column])
        if not isinstance(prompt, list):
            return text_fault(row, self.column) or tools_fault(row) or _unstorable(row)
        if wrong := turns_fault(prompt, self.column, False):
            return wrong
        if prompt[-1]["role"] == "assistant":
            return f'"{self.column}" ends with the assistant, whose turn is next'
        return tools_fault(row) or _unstorable(row)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The prompt through the beginning of the assistant's turn."""
        return [write.asked(decoded(row[self.column]), row)]

    def is_conversation(self, row: Row) -> bool:
        """Whether the prompt is messages."""
        return isinstance(decoded(row.get(self.column)), list)

    def whole(self, row: Row) -> Row:
        """Nulls are left out of what the model is asked alone."""
        asked = super().whole(row)
        return {name: asked.get(name) if name in (self.column, "tools") else value for name, value in row.items()}

    def kept(self, row: Row, write: Writer) -> dict[str, Any] | None:
        """The prompt as it is asked, under the name `prompt`, and every other column."""
        further = {name: value for name, value in row.items() if name != self.column}
        return {"prompt": write.turns(decoded(row[self.column])), **further}

    def stored(self, folder: Path) -> Any:
        """Prompts with their columns."""
        from training_hub.data.rows import PromptRows

        return PromptRows(folder)

    def proxy(self, length: int) -> list[Side]:
        """Nothing of it is trained."""
        [(ids, _)] = super().proxy(length)
        return [(ids, ids * 0 + IGNORED)]

    def shown(self, rows: Any, number: int, render: Render) -> Iterator[tuple[str, Any]]:
        """The prompt as tokens, and the further columns."""
        yield "prompt", render(rows.tokens[number][0], None)
        for name, value in rows[number].items():
            if name != "prompt":
                yield name, kept.dumps(value)


def _unstorable(row: Row) -> str | None:
    for name, value in row.items():
        try:
            kept.dumps(value)
        except TypeError:
            return f'"{name}" holds a value of type {type(value).__name__}, which is no data'
    return None
