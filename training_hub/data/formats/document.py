"""Documents: text of which every token is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training_hub.data.formats.base import Format, Writer
from training_hub.data.values import Row, text_fault


@dataclass
class Document(Format):
    """Text that ends with the tokenizer's end-of-text token. column: its name."""

    column: str = "document"
    uses: ClassVar[frozenset[str]] = frozenset(["chat_template", "document_column", "block_size"])
    column_setting: ClassVar[str] = "document_column"

    def __post_init__(self) -> None:
        self.columns = (self.column,)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """Text, which may be empty."""
        return text_fault(row, self.column, may_be_empty=True)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The document."""
        return [write.document(row[self.column])]

    def is_empty(self, row: Row) -> bool:
        """Whether there is no text."""
        return not row[self.column]
