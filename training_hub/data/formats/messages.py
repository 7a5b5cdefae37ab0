"""Conversations: a column of messages, and with it tools and whether the row trains every role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training_hub.data.conversation import tools_fault, turns_fault
from training_hub.data.formats.base import TEMPLATE, Format, Writer
from training_hub.data.values import Row, decoded, is_true


@dataclass
class Messages(Format):
    """A conversation. column: its name."""

    column: str = "messages"
    uses: ClassVar[frozenset[str]] = TEMPLATE | {"train_on", "messages_column"}
    column_setting: ClassVar[str] = "messages_column"

    def __post_init__(self) -> None:
        self.columns = (self.column,)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """Turns, tools, and the flag `unmask`."""
        unmask = is_true(row.get("unmask"))
        if unmask is None:
            return '"unmask" is neither true nor false'
        needs_assistant = not unmask and data["train_on"] in ("assistant", ["assistant"])
        return tools_fault(row) or turns_fault(decoded(row[self.column]), self.column, needs_assistant)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The conversation."""
        return [write.conversation(decoded(row[self.column]), row)]

    def is_conversation(self, row: Row) -> bool:
        """Always."""
        return True
