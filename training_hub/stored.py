"""Read files that a run has left: whole, of the expected types, or refused in one line.

Ours are written at once or a line at a time, but a copy may be torn, and anybody may edit a file.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from training_hub.errors import ConfigError

_MOST_NODES = 1_000_000  # of a tree with its shared parts written out
_SHOWN = 3
NUMBER = (int, float)
# A type, some types, a set of words, [shape of each item], {name: shape}, {str: shape of each value}, or
# {name: shape, pattern: shape of every other value, whose name it matches}.
Shape = Any


class Damaged(ConfigError):
    """A file is not what was written."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: damaged, {reason}; restore it, or remove it")


def text_of(file: Path) -> str:
    """A file's text. Damaged where there is none."""
    try:
        return bytes_of(file).decode()
    except UnicodeDecodeError:
        raise Damaged(file, "it is not text in UTF-8") from None


def bytes_of(file: Path) -> bytes:
    """What a file holds. Damaged where it is no file, or not there."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait
            raise Damaged(file, "it is not a file")
        return file.read_bytes()
    except FileNotFoundError:
        raise Damaged(file, "it is a broken link" if file.is_symlink() else "it is missing") from None
    except OSError as error:
        raise Damaged(file, f"it cannot be read ({error.strerror})") from None


def read(file: Path, shape: Shape) -> Any:
    """The content of a JSON or YAML file. Damaged where it has not, or not the shape."""
    text = text_of(file)
    kind = "YAML" if file.suffix == ".yaml" else "JSON"
    try:
        # libyaml dies of what is nested too deeply
        found = yaml.safe_load(text) if kind == "YAML" else json.loads(text)
        too_large = kind == "YAML" and _nodes(found) > _MOST_NODES
    except (ValueError, RecursionError, yaml.YAMLError, TypeError, AttributeError, KeyError):
        raise Damaged(file, f"it is not valid {kind}" if text.strip() else "it is empty") from None
    if too_large:
        raise Damaged(file, "it refers to itself")
    if wrong := misfit(found, shape):
        raise Damaged(file, wrong)
    return found


def there(file: Path) -> bool:
    """Whether something of that name is there, if only a link that leads nowhere."""
    return file.is_symlink() or file.exists()


def misfit(value: Any, shape: Shape, name: str = "") -> str | None:
    """What of a value is not of a shape; None where all is. A name that ends in ! must be there; null is no value."""
    if value is None and name:
        return None
    if isinstance(shape, dict):
        return _misfit_of_mapping(value, shape, name)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{name or 'it'} is not a list"
        return _first(misfit(each, shape[0], f"{name}[{at}]") for at, each in enumerate(value))
    if isinstance(shape, frozenset):
        known = isinstance(value, str) and value in shape
    elif isinstance(value, int) and shape is not object:
        known = isinstance(value, shape) and isinstance(value, bool) == (shape is bool) and _fits_a_float(value)
    else:
        known = isinstance(value, shape)
    return None if known else f"{name or 'it'} has the wrong type"


def _misfit_of_mapping(value: Any, shape: Mapping[Any, Shape], name: str) -> str | None:
    if not isinstance(value, dict):
        return f"{name} is not a mapping" if name else "it does not hold a mapping"
    if str in shape:
        wrong = next((key for key in value if not isinstance(key, str)), None)
        each = shape[str]
        return (
            "it has a key that is not text"
            if wrong is not None
            else _first(misfit(item, each, _joined(name, key)) for key, item in value.items())
        )
    named = {key: inner for key, inner in shape.items() if not isinstance(key, re.Pattern)}
    for key, inner in named.items():
        own = key.removesuffix("!")
        if value.get(own) is None and own != key:
            return f"{_joined(name, own)} is missing"
        if own in value and (wrong := misfit(value[own], inner, _joined(name, own))):
            return wrong
    others = {key: item for key, item in value.items() if key not in named and f"{key}!" not in named}
    return _first(_misfit_of_other(others, pattern, shape[pattern], name) for pattern in shape.keys() - named.keys())


def _misfit_of_other(value: Mapping[Any, Any], pattern: re.Pattern[str], shape: Shape, name: str) -> str | None:
    if any(not isinstance(key, str) or not pattern.fullmatch(key) for key in value):
        return f"a name in {name or 'it'} is none that can stand there"
    return _first(misfit(item, shape, _joined(name, key)) for key, item in value.items())


def rows(file: Path, shape: Shape) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a JSON Lines file that have the shape, and what is said of the others, None where there are none.

    A last line that is still being written is no row. Only a line feed ends one.
    """
    if not there(file):
        return [], None
    try:
        lines = bytes_of(file).split(b"\n")[:-1]
    except Damaged as error:
        return [], str(error)
    return rows_of(lines, shape, file)


def rows_of(lines: Iterable[bytes], shape: Shape, file: Path) -> tuple[list[dict[str, Any]], str | None]:
    """The same of lines that were read already."""
    found, wrong = [], []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if misfit(row, shape):
            wrong.append(number)
        else:
            found.append(row)
    return found, _left_out(file, wrong)


def _left_out(file: Path, wrong: list[int]) -> str | None:
    if not wrong:
        return None
    shown = ", ".join(map(str, wrong[:_SHOWN])) + (f" and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else "")
    return f"{file}: line {shown} cannot be read and is left out"


def _fits_a_float(value: int) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _first(found: Iterable[str | None]) -> str | None:
    return next(filter(None, found), None)


def _joined(name: str, key: object) -> str:
    return f"{name}.{key}" if name else str(key)


def _nodes(tree: Any) -> int:
    """How many values a tree has, each shared part counted wherever it is referred to; a circle has no end."""
    known: dict[int, float] = {}
    stack = [(tree, False)]
    while stack:
        node, done = stack.pop()
        children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
        if done:
            known[id(node)] = 1 + sum(known.get(id(each), 1) for each in children)
        elif children and id(node) not in known:
            known[id(node)] = math.inf  # until it is counted: met again before that, it is a part of itself
            stack.append((node, True))
            stack += [(each, False) for each in children]
    return int(min(known.get(id(tree), 1), _MOST_NODES + 1))
