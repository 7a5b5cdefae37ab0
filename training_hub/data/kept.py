"""Values as JSON text from which they come back as they were: beside what JSON has, dates, decimals and bytes."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
from collections.abc import Callable
from typing import Any

_MARK = "__python__"
_TO_TEXT: dict[type, Callable[[Any], str]] = {
    datetime.datetime: lambda value: str(value.isoformat()),
    datetime.date: lambda value: str(value.isoformat()),
    datetime.time: lambda value: str(value.isoformat()),
    datetime.timedelta: lambda value: f"{value.days} {value.seconds} {value.microseconds}",
    decimal.Decimal: str,
    bytes: lambda value: base64.b64encode(value).decode(),
}
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda text: datetime.timedelta(*map(int, text.split())),
    "Decimal": decimal.Decimal,
    "bytes": base64.b64decode,
    "tuple": lambda text: tuple(map(loads, json.loads(text))),
    "dict": lambda text: dict(map(loads, json.loads(text))),
}


def dumps(value: Any) -> str:
    """A value as JSON text. TypeError for what is no data."""
    return json.dumps(_marked(value), default=_text)


def loads(text: str) -> Any:
    """The value."""
    return json.loads(text, object_hook=_value)


def _marked(value: Any) -> Any:
    """With a mark where JSON would make something else of a value, or take it for a mark."""
    if isinstance(value, tuple) or (isinstance(value, dict) and _MARK in value):
        inner = list(value.items()) if isinstance(value, dict) else list(value)
        return {_MARK: type(value).__name__, "text": json.dumps(list(map(dumps, inner)))}
    if isinstance(value, dict):
        return {key: _marked(each) for key, each in value.items()}
    return list(map(_marked, value)) if isinstance(value, list) else value


def _text(value: Any) -> dict[str, str]:
    if type(value) not in _TO_TEXT:
        raise TypeError(type(value).__name__)
    return {_MARK: type(value).__name__, "text": _TO_TEXT[type(value)](value)}


def _value(found: dict[str, Any]) -> Any:
    return _FROM_TEXT[found[_MARK]](found["text"]) if _MARK in found else found
