"""What the constructor of a choice's class takes: a class of your own declares its settings by that alone."""

from __future__ import annotations

import inspect
from types import NoneType
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, create_model

_PLAIN = {bool, dict, float, int, list, str, NoneType}  # what a config holds, hence what may be checked


def node_of(kind: Any, declared: type[BaseModel] | None = None) -> type[BaseModel]:
    """The class of a choice's node: `Node`, or `declared`, with the arguments of a constructor of its own."""
    node: type[BaseModel] = declared or kind.Node
    known = {field.alias or name for name, field in node.model_fields.items()}
    own: Any = {name: each for name, each in _arguments(kind).items() if name not in known}
    return create_model(node.__name__, __base__=node, **own) if own else node


def taken(kind: Any) -> set[str] | None:
    """Names of the arguments that a constructor takes; None where it takes any."""
    found = inspect.signature(kind.__init__).parameters.values()
    return None if any(each.kind is each.VAR_KEYWORD for each in found) else set(_arguments(kind))


def _arguments(kind: Any) -> dict[str, tuple[Any, Any]]:
    """Name -> type and default (`...` for none) of each argument that has a name."""
    try:
        types = get_type_hints(kind.__init__)
    except NameError:  # imported for type checking alone
        types = {}
    found = list(inspect.signature(kind.__init__).parameters.values())[1:]
    named = [each for each in found if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    return {
        each.name: (_checked(types.get(each.name, Any)), ... if each.default is each.empty else each.default)
        for each in named
    }


def _checked(annotation: Any) -> Any:
    """A type that the values of a config can be checked against; anything else is left to the constructor."""
    inner = get_args(annotation)
    plain = all(_checked(each) is each for each in inner) if inner else annotation in _PLAIN
    return annotation if plain else Any
