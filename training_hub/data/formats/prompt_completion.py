"""A prompt and its completion: both text, or both messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training_hub.data.conversation import continuation_fault, tools_fault
from training_hub.data.formats.base import Format, Writer
from training_hub.data.values import Row, decoded


@dataclass
class PromptCompletion(Format):
    """The completion is trained. prompt, completion: names of the columns."""

    prompt: str = "prompt"
    completion: str = "completion"

    def __post_init__(self) -> None:
        self.columns = (self.prompt, self.completion)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """Both columns, and tools."""
        return tools_fault(row) or continuation_fault(row, self.prompt, self.completion)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The prompt with its completion."""
        return [continued(row, self.prompt, self.completion, write)]

    def is_conversation(self, row: Row) -> bool:
        """Whether the prompt is messages."""
        return isinstance(decoded(row.get(self.prompt)), list)


def continued(row: Row, prompt: str, answer: str, write: Writer) -> Any:
    """The text of a prompt and an answer, named by their columns."""
    first, second = decoded(row[prompt]), decoded(row[answer])
    if isinstance(first, list):
        return write.conversation([*first, *second], row, len(first))
    return write.answered(first, second, row)
