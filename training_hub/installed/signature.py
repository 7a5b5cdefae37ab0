"""Read the arguments of a library's class or function from its source, without importing the library.

The front must know whether `recipe.some_argument=` exists, and importing TRL for that takes seconds. The installed
source is the truth: whatever version is there, in whatever environment, is read as it is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """One argument, as its source has it; default: "" where it has none."""

    annotation: str
    default: str = ""

    def __str__(self) -> str:
        """`int = 3`, or what there is of it."""
        return " = ".join(filter(None, self))


def _everywhere() -> tuple[str, ...]:
    """Where this program finds packages: sys.path, and this package, which an editable install does not list there."""
    return (*sys.path, str(Path(__file__).parents[2]))


def arguments(target: str, search_path: tuple[str, ...] = ()) -> dict[str, str] | None:
    """Name and annotation of every argument of `package.module.Name`: see `declared`."""
    found = declared(target, search_path)
    return None if found is None else {name: each.annotation for name, each in found.items()}


def declared(target: str, search_path: tuple[str, ...] = ()) -> dict[str, Argument] | None:
    """Every argument of `package.module.Name`, by name: dataclass or pydantic fields, or parameters.

    Inherited fields are included; of a class with an `__init__` of its own it is the parameters of that. Of
    `package.module.Class.method`: its parameters. Of a module that is run as a script: its command-line options, `-` as
    `_`. search_path: folders that hold packages, default where this program finds them. None where no source is found.
    """
    folders = search_path or _everywhere()
    module, _, name = target.rpartition(".")
    file = _module_file(tuple(module.split(".")), folders)
    found = _method(module, name, folders) if file is None else _arguments(file, name, folders)
    script = _module_file(tuple(target.split(".")), folders) if found is None else None
    return found if script is None else _script_options(_parse(script))


def has_module(module: str, search_path: tuple[str, ...]) -> bool:
    """Whether there is a module of that name, or a class that a method's owner could be."""
    parts = tuple(module.split("."))
    return bool(_module_file(parts, search_path) or (parts[1:] and _module_file(parts[:-1], search_path)))


def is_closed(target: str, search_path: tuple[str, ...]) -> bool:
    """Whether a class takes the arguments that `declared` finds and no others: so its source and its bases say."""
    module, _, name = target.rpartition(".")
    file = _module_file(tuple(module.split(".")), search_path)
    return file is not None and _is_closed(file, name, search_path)


def _is_closed(file: Path, name: str, search_path: tuple[str, ...]) -> bool:
    found = _definition(file, name, search_path)
    if found is None or isinstance(found[1], ast.FunctionDef):
        return found is not None and found[1].args.kwarg is None  # type: ignore[union-attr]
    for node in found[1].body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return node.args.kwarg is None
    return all(isinstance(base, ast.Name) and _is_closed(found[0], base.id, search_path) for base in found[1].bases)


def constant(target: str, search_path: tuple[str, ...] = ()) -> Any:
    """The value of `package.module.NAME` where that is a literal. None where it is not found."""
    module, _, name = target.rpartition(".")
    file = _module_file(tuple(module.split(".")), search_path or _everywhere())
    for node in _parse(file).body if file else ():
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and name in map(_text, targets):
            return ast.literal_eval(node.value)
    return None


def members(target: str, search_path: tuple[str, ...] = ()) -> list[str] | None:
    """The values of the enumeration `package.module.Name`, None where it is not found."""
    module, _, name = target.rpartition(".")
    file = _module_file(tuple(module.split(".")), search_path or _everywhere())
    found = _definition(file, name, search_path or _everywhere()) if file else None
    if found is None:
        return None
    assigned = (node.value for node in found[1].body if isinstance(node, ast.Assign))
    return [str(value.value) for value in assigned if isinstance(value, ast.Constant)]


def choices(module: str, option: str, search_path: tuple[str, ...] = ()) -> list[str] | None:
    """The values that a script's command-line option may have, None where it does not say."""
    file = _module_file(tuple(module.split(".")), search_path or _everywhere())
    for name, call in _added_arguments(_parse(file)) if file else ():
        for keyword in call.keywords if name == option else ():
            if keyword.arg == "choices":
                return [str(each.value) for each in ast.walk(keyword.value) if isinstance(each, ast.Constant)]
    return None


def _script_options(script: ast.Module) -> dict[str, Argument] | None:
    """The options of argparse's parser, or the parameters of typer's command."""
    if options := {name: _option(call) for name, call in _added_arguments(script)}:
        return options
    for node in script.body:
        if isinstance(node, ast.FunctionDef) and any("command" in ast.unparse(each) for each in node.decorator_list):
            return _parameters(node)
    return None


def _added_arguments(script: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call of `add_argument`, with the name that its value will have."""
    for node in ast.walk(script):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value).lstrip("-").replace("-", "_"), node


def _option(call: ast.Call) -> Argument:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    return Argument(_option_type(given), ast.unparse(given["default"]) if "default" in given else "")


def _option_type(given: dict[str | None, ast.expr]) -> str:
    if "action" in given:
        return "bool"
    kind = _text(given.get("type"))
    if "nargs" in given:
        return f"list[{kind or 'str'}]"
    default = given.get("default", ast.Constant(None))
    optional = isinstance(default, ast.Constant) and default.value is None
    return f"{kind} | None" if kind and optional else kind


@lru_cache(maxsize=256)
def _arguments(file: Path, name: str, search_path: tuple[str, ...]) -> dict[str, Argument] | None:
    found = _definition(file, name, search_path)
    if found is None:
        return None
    file, node = found
    if isinstance(node, ast.FunctionDef):
        return _parameters(node)
    fields: dict[str, Argument] = {}
    for base in reversed(node.bases):
        if isinstance(base, ast.Name):
            fields |= _arguments(file, base.id, search_path) or {}
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            annotation = _text(statement.annotation)
            if not annotation.startswith("ClassVar") and not statement.target.id.startswith("_"):
                fields[statement.target.id] = Argument(annotation, _field_default(statement.value))
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return (fields if statement.args.kwarg else {}) | _parameters(statement)
    return fields


def _method(owner: str, name: str, search_path: tuple[str, ...]) -> dict[str, Argument] | None:
    """The parameters of a method that its class itself defines."""
    module, _, of = owner.rpartition(".")
    file = _module_file(tuple(module.split(".")), search_path)
    found = _definition(file, of, search_path) if file else None
    for node in found[1].body if found else ():
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _parameters(node)
    return None


def _field_default(value: ast.expr | None) -> str:
    """The default of a dataclass's or pydantic's field; of `field(default=3, ...)` the 3."""
    if not isinstance(value, ast.Call) or _text(value.func).rpartition(".")[2] not in ("field", "Field"):
        return _text(value)
    given = {keyword.arg: keyword.value for keyword in value.keywords}
    if "default_factory" in given:
        return f"{_text(given['default_factory'])}()"
    default = given.get("default", value.args[0] if value.args else None)
    return "" if isinstance(default, ast.Constant) and default.value is ... else _text(default)


def _parameters(function: ast.FunctionDef) -> dict[str, Argument]:
    given = function.args
    placed = [*given.posonlyargs, *given.args]
    absent = [None] * (len(placed) - len(given.defaults))
    defaults: Sequence[ast.expr | None] = [*absent, *given.defaults, *given.kw_defaults]
    return {
        each.arg: Argument(_text(each.annotation), _text(default))
        for each, default in zip([*placed, *given.kwonlyargs], defaults, strict=True)
        if each.arg not in ("self", "cls")
    }


def _text(annotation: ast.expr | None) -> str:
    """An expression as it is written, "" for none; of `Annotated[type, ...]` the type alone."""
    if isinstance(annotation, ast.Subscript) and _text(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        annotation = annotation.slice.elts[0]
    return ast.unparse(annotation) if annotation else ""


@lru_cache(maxsize=256)
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _definition(
    file: Path, name: str, search_path: tuple[str, ...], depth: int = 8
) -> tuple[Path, ast.ClassDef | ast.FunctionDef] | None:
    """Where a name is defined, following `from x import name` through packages, lazily filled ones included."""
    if depth == 0:
        return None
    for node in _statements(_parse(file).body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return file, node
        if isinstance(node, ast.ImportFrom):
            for imported in node.names:
                if (imported.asname or imported.name) == name:
                    source = _imported_file(file, node, search_path)
                    if source and (found := _definition(source, imported.name, search_path, depth - 1)):
                        return found
    return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """A module's statements, those under `if TYPE_CHECKING:` and in `try:` included, but not those of functions."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements(node.body)
            yield from _statements(node.orelse)


def _imported_file(file: Path, node: ast.ImportFrom, search_path: tuple[str, ...]) -> Path | None:
    parts = tuple(node.module.split(".")) if node.module else ()
    if node.level == 0:
        return _module_file(parts, search_path)
    folder = file.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    return _file_below(folder.joinpath(*parts))


def _module_file(parts: tuple[str, ...], search_path: tuple[str, ...]) -> Path | None:
    candidates = (_file_below(Path(folder or ".").joinpath(*parts)) for folder in search_path)
    return next((file for file in candidates if file), None)


def _file_below(path: Path) -> Path | None:
    for file in (path / "__init__.py", path.with_name(path.name + ".py")) if path.name else ():
        if file.is_file():
            return file
    return None
