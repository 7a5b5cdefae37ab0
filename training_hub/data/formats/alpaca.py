"""Instructions with an optional input, and the output.

They are a user's turn, the instruction and below it the input, and an assistant's turn, the output. For a model without
a chat template they are the plain text

    ### Instruction:
    {instruction}

    ### Input:              (left out where there is no input)
    {input}

    ### Response:
    {output}<eos>
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training_hub.data.formats.base import Format, Writer
from training_hub.data.values import Row, text_fault


@dataclass
class Alpaca(Format):
    """The output is trained. instruction, input, output: names of the columns."""

    instruction: str = "instruction"
    input: str = "input"
    output: str = "output"

    def __post_init__(self) -> None:
        self.columns = (self.instruction, self.output)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """The texts; the input may be missing."""
        extra = None if row.get(self.input) is None else text_fault(row, self.input, may_be_empty=True)
        return text_fault(row, self.instruction) or extra or text_fault(row, self.output)

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """Two turns, or the plain text."""
        instruction, given = row[self.instruction], row.get(self.input) or ""
        below = f"### Input:\n{given}\n\n" if given else ""
        plain = f"### Instruction:\n{instruction}\n\n{below}### Response:\n"
        return [write.answered("\n\n".join(filter(None, (instruction, given))), row[self.output], row, plain)]
