"""Whether a value from a config fits the annotation of a library's argument, as far as its text says."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_Fits = Callable[[Any], bool]
_PLAIN: dict[str, _Fits] = {
    "None": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    **dict.fromkeys(("list", "List", "tuple", "Tuple", "Sequence"), lambda value: isinstance(value, list)),
    **dict.fromkeys(("dict", "Dict", "Mapping"), lambda value: isinstance(value, dict)),
}
_ENUMERATIONS = ("Type", "Names", "Strategy", "Option")  # endings of classes whose members are written as texts


def fits(value: Any, annotation: str) -> bool:
    """Whether a value is of one of the types that an annotation names; True where that cannot be told."""
    try:
        return _kind(annotation)(value)
    except SyntaxError:
        return True


@lru_cache(maxsize=1024)
def _kind(annotation: str) -> _Fits:
    return _of(ast.parse(annotation, mode="eval").body)


def _of(node: ast.expr) -> _Fits:
    """The test for one part of an annotation."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _any(_of(node.left), _of(node.right))
    if isinstance(node, ast.Constant):
        return _of(ast.parse(node.value, mode="eval").body) if isinstance(node.value, str) else _PLAIN["None"]
    if isinstance(node, ast.Subscript):
        return _with_arguments(_name(node.value), node.slice)
    name = _name(node)
    if name.endswith("Config"):  # a dataclass, which some libraries make of a dict
        return _PLAIN["dict"]
    return _PLAIN.get(name) or (_PLAIN["str"] if name.endswith(_ENUMERATIONS) else _anything)


def _with_arguments(name: str, inner: ast.expr) -> _Fits:
    """The test for `Optional[...]`, `Union[...]`, `Literal[...]`, `list[...]` and `dict[...]`."""
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        allowed = [part.value for part in parts if isinstance(part, ast.Constant)]
        open_ended = any("[" in str(each) for each in allowed)  # 'pissa_niter_[number of iters]'
        return lambda value: (
            (open_ended and isinstance(value, str))
            or any(value == each and type(value) is type(each) for each in allowed)
        )
    tests = [_of(part) for part in parts]
    if name == "Optional":
        return _any(_PLAIN["None"], *tests)
    if name == "Union":
        return _any(*tests)
    if name in ("list", "List", "Sequence"):
        return lambda value: isinstance(value, list) and all(map(tests[0], value))
    if name in ("dict", "Dict", "Mapping"):
        return lambda value: isinstance(value, dict) and all(map(tests[-1], value.values()))
    return _PLAIN.get(name, _anything)


def _name(node: ast.expr) -> str:
    """The last name of `typing.Optional` and the like."""
    return ast.unparse(node).rpartition(".")[2]


def _any(*tests: _Fits) -> _Fits:
    return lambda value: any(test(value) for test in tests)


def _anything(_value: Any) -> bool:
    return True
