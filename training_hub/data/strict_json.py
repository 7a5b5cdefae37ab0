"""JSON of which nothing is lost: a key that is given twice is an error, and so is what nothing can walk through."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

_DEEPEST = 100


class Unsound(ValueError):
    """JSON that another reader would take in another way; the message says why, for a user."""


def loads(text: str | bytes) -> Any:
    """What JSON text stands for. Unsound, or the ValueError of JSON or of UTF-8, where that is not one clear thing."""
    decoded = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
    try:
        value = _DECODER.decode(decoded)
    except RecursionError:
        raise Unsound(f"nested deeper than {_DEEPEST} levels") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise Unsound(f"a number of more than {sys.get_int_max_str_digits():,} digits") from None
        raise
    if decoded.count("[") + decoded.count("{") > _DEEPEST and _is_deeper(value, _DEEPEST):
        raise Unsound(f"nested deeper than {_DEEPEST} levels")
    if _MAY_BE_HALF.search(decoded) and not _is_unicode(value):
        raise Unsound("half of a character, a lone surrogate")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise Unsound(f'"{next(key for key in keys if keys.count(key) > 1)}" is given twice')
    return found


def _is_unicode(value: Any) -> bool:
    """Whether all texts in it can be written as UTF-8, which tokenizers want."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner if isinstance(each, dict | list))


_MAY_BE_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_DECODER = json.JSONDecoder(object_pairs_hook=_object)  # made once: making one costs as much as a row
