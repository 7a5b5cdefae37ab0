"""What the values of a row's columns mean: lists that are written as JSON text, flags, texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training_hub.data import strict_json

Row = Mapping[str, Any]
_FLAGS = {None: False, "": False, "false": False, "0": False, "true": True, "1": True}


def decoded(value: Any) -> Any:
    """The list or object that JSON text stands for; any other value as it is. Unsound for a list that is ambiguous."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return strict_json.loads(value)
        except ValueError as error:
            if isinstance(error, strict_json.Unsound) and value.lstrip()[0] == "[":
                raise
            return value
    return value


def is_true(value: Any) -> bool | None:
    """Whether a flag is set, which CSV files hold as text: missing is false; None if it is not a flag."""
    return _FLAGS.get(value if value is None else str(value).lower())


def text_fault(row: Row, column: str, may_be_empty: bool = False) -> str | None:
    """Why a column is not text, None if it is."""
    if not isinstance(row[column], str):
        return f'"{column}" is not text'
    return None if may_be_empty or row[column] else f'"{column}" is empty'
