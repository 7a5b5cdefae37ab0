"""One setting, one value: Hydra takes the last of several without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override

from training_hub.config.groups import TOP_GROUPS
from training_hub.errors import ConfigError, shown_value

_DELETED = object()


@dataclass(frozen=True)
class _Entry:
    """One value of one setting. path: its own name, dotted. key, text: as they were typed."""

    path: str
    value: Any
    key: str
    text: str


def refuse_twice(parsed: Sequence[Override], aliases: Mapping[str, str]) -> None:
    """ConfigError for settings and config groups that are given several times, under any of their names, and differ.

    aliases: other names of parameters -> their own.
    """
    first: dict[str, _Entry] = {}
    faults = []
    for each in (entry for override in parsed for entry in _entries(override, aliases)):
        other = first.setdefault(each.path, each)
        if not _same(each, other):
            faults.append(_fault(each, other))
    for path, each in first.items():  # `a=5 a.b=1`: the second would replace the first
        outer = next((first[name] for name in _above(path) if name in first and not _is_group(name)), None)
        if outer and outer.value != {}:
            faults.append(_fault(each, outer))
    if faults:
        raise ConfigError(*dict.fromkeys(faults))


def changed(settings: Iterable[str], changes: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """Settings as typed, with the changes in place of those that they give another value to, under any name."""
    names = {_own_name(text, aliases) for text in changes}
    return [*(text for text in settings if _own_name(text, aliases) not in names), *changes]


def _own_name(text: str, aliases: Mapping[str, str]) -> str:
    name = text.lstrip("+~").partition("=")[0]
    return aliases.get(name, name)


def _entries(override: Override, aliases: Mapping[str, str]) -> Iterator[_Entry]:
    """The values of an override, those inside a mapping one by one."""
    key, text = override.get_key_element().lstrip("+~"), str(override.input_line).partition("=")[2]
    path = aliases.get(key, key)
    if override.is_delete():
        yield _Entry(path, _DELETED, str(override.input_line), "")
    elif override.is_sweep_override():
        yield _Entry(path, text, key, text)
    else:
        yield from (_Entry(inner, value, key, text) for inner, value in _flat(path, override.value()))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, inner in value.items():
        yield from _flat(f"{path}.{key}", inner)


def _above(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def _is_group(path: str) -> bool:
    return path.partition("@")[0] in TOP_GROUPS or "/" in path


def _same(each: _Entry, other: _Entry) -> bool:
    """Whether two values are equal: `1` and `1.0`, but not `1` and `true`."""
    alike = isinstance(each.value, bool) == isinstance(other.value, bool)
    return alike and (each.text == other.text or bool(each.value == other.value))


def _fault(each: _Entry, other: _Entry) -> str:
    what = "group" if _is_group(each.path) else "parameter"
    return f"{_typed(each)}: the same {what} is given as {_typed(other)}; keep one of the two"


def _typed(entry: _Entry) -> str:
    return entry.key if entry.value is _DELETED else f"{entry.key}={shown_value(entry.text)}"
