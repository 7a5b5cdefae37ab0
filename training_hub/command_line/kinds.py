"""Types as they are shown to users."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union, get_args, get_origin


def type_text(annotation: Any) -> str:
    """`int | None` -> `int or null`; `Literal["a", "b"]` -> `a or b`."""
    arguments = get_args(annotation)
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, arguments))
    if get_origin(annotation) is Annotated:
        return type_text(arguments[0])
    if get_origin(annotation) is Union or (arguments and type(annotation).__name__ == "UnionType"):
        return " or ".join(dict.fromkeys(type_text(each) for each in arguments))
    if get_origin(annotation) in (list, dict):
        return "list" if get_origin(annotation) is list else "mapping"
    name = str(annotation.__name__)
    return {"str": "text", "bool": "true or false"}.get(name, name)
