"""Rows that are tokens already, with their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training_hub.data.formats.base import Format, Writer
from training_hub.data.labels import IGNORED
from training_hub.data.values import Row, decoded

LARGEST_ID = 2**31 - 1  # ids are kept as int32


@dataclass
class Tokens(Format):
    """Token ids and labels of one length. input_ids, labels: names of the columns."""

    input_ids: str = "input_ids"
    labels: str = "labels"
    uses: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        self.columns = (self.input_ids, self.labels)

    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """Lists of one length; ids that the model has; labels that are not shifted."""
        ids, labels = decoded(row[self.input_ids]), decoded(row[self.labels])
        for column, values in ((self.input_ids, ids), (self.labels, labels)):
            if not isinstance(values, list) or not all(type(value) is int for value in values):
                return f'"{column}" is not a list of integers'
        if not ids:
            return f'"{self.input_ids}" is empty'
        if len(ids) != len(labels):
            return f'"{self.input_ids}" has {len(ids)} entries and "{self.labels}" {len(labels)}'
        if any(label not in (IGNORED, token) for token, label in zip(ids, labels, strict=True)):
            return f"a label is neither {IGNORED} nor the token id at its place (labels are not shifted)"
        return _range_fault(self.input_ids, ids, data.get("largest_id", LARGEST_ID))

    def texts(self, row: Row, write: Writer) -> list[Any]:
        """The tokens."""
        return [write.tokens(decoded(row[self.input_ids]), decoded(row[self.labels]))]


def _range_fault(column: str, ids: list[int], largest: int) -> str | None:
    if min(ids) < 0:
        return f'"{column}" holds a negative id'
    return f'"{column}" holds an id beyond {largest:,}' if max(ids) > largest else None
