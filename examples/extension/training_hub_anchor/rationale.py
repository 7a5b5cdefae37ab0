# training_hub_anchor/rationale.py
"""A data format: rows of a question, a rationale and an answer. Nothing heavy is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training_hub.data.formats.base import Format, Writer
from training_hub.data.values import Row, text_fault


@dataclass
class Rationale(Format):
    """The rationale is trained, and on a line of its own, after `before_answer`, the answer."""

    before_answer: str = "#### "
    columns = ("question", "rationale", "answer")

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """Three texts, none of them empty."""
        return next(filter(None, (text_fault(row, column) for column in self.columns)), None)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The user's turn and the assistant's."""
        answer = f"{row['rationale']}\n{self.before_answer}{row['answer']}"
        return [write.answered(row["question"], answer, row)]
