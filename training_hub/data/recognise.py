"""The formats of a data node, and which of them a row has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training_hub.data.formats.base import Format
from training_hub.data.values import Row
from training_hub.errors import ConfigError, fault
from training_hub.installed.locate import FORMAT, find_class


class Formats:
    """The formats of a data node.

    every: all of them, by name. accepted: those that the algorithm learns from, which names them or the kind of rows
    that they become. asked: of which a row may have one. ConfigError for a class that is not there or not trusted, and
    for wrong arguments.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.every = {str(name): _made(str(name), node) for name, node in data["formats"].items()}
        wanted = set(data["accepts"])
        self.accepted = {name: each for name, each in self.every.items() if {name, each.kind} & wanted}
        named = data["format"]
        self.is_named = named != "auto"
        self.asked = {named: self.every[named]} if self.is_named else self.accepted

    @property
    def kinds(self) -> set[str]:
        """What the algorithm learns from: see `Format.kind`."""
        return {each.kind for each in self.accepted.values()}

    def recognise(self, row: Row) -> list[Format]:
        """The formats that a row may have: the one that is named, else those of which it has all columns.

        What else a row has does not count. Only where there is no such format, what the row is for another algorithm.
        """
        if self.is_named:
            return list(self.asked.values())
        found = [each for each in self.asked.values() if each.matches(row)]
        return found or _widest([each for each in self.every.values() if each.matches(row)])


def _widest(found: list[Format]) -> list[Format]:
    """Without those that have a part of another one's columns."""
    return [each for each in found if not any(set(each.columns) < set(other.columns) for other in found)]


def _made(name: str, node: Mapping[str, Any]) -> Format:
    key = f"data.formats.{name}"
    kind = find_class(str(node["_target_"]), FORMAT, key=f"{key}._target_")
    try:
        made: Format = kind(**{argument: value for argument, value in node.items() if argument != "_target_"})
    except TypeError as error:
        raise ConfigError(fault(key, node["_target_"], str(error).partition("__init__() ")[2] or str(error))) from None
    made.name = name
    return made
