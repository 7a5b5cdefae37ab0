"""The arguments of a class or function, read from its source and compared with the real thing where it is installed."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from training_hub.installed.signature import arguments, constant, declared
from training_hub.params import Params


@pytest.fixture
def library(tmp_path: Path) -> tuple[str, ...]:
    """A package that passes names on in the ways that libraries do; returns the folders to search."""
    files = {
        "lib/__init__.py": """
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from .inner import Config, function
                from lib.inner import Config as Renamed
            else:
                import sys
            try:
                from other import Elsewhere
            except ImportError:
                Elsewhere = None
            """,
        "lib/inner/__init__.py": "from .config import *\nfrom .config import Config, function\n",
        "lib/inner/config.py": """
            from dataclasses import dataclass, field
            from typing import ClassVar
            from ..base import Base
            import lib.base as base

            @dataclass
            class Config(Base):
                lr: float = 1e-5
                size: "int | None" = field(default=None, metadata={"help": "x"})
                names: list[str] = field(default_factory=list)
                kind: ClassVar[str] = "x"
                _private: int = 0
                not_annotated = 3

                def method(self, argument: int) -> None: ...

            class Plain:
                kind: str = "x"

                def __init__(self, model: str, dtype=None) -> None: ...

            class Wide(Base):
                def __init__(self, size: int, **others) -> None: ...

            def function(first, second: int = 2, *rest: int, third: str = "", **others: int) -> None: ...
            """,
        "lib/base.py": """
            class Base(Root):
                seed: int = 42
                lr: int = 1

            class Root: ...
            """,
        "other.py": "class Elsewhere:\n    here: bool = True\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    return (str(tmp_path),)


CONFIG = {"seed": "int", "lr": "float", "size": "'int | None'", "names": "list[str]"}


@pytest.mark.parametrize("target", ["lib.inner.config.Config", "lib.inner.Config", "lib.Config", "lib.Renamed"])
def test_fields_are_found_through_every_door_inherited_ones_included(target: str, library: tuple[str, ...]) -> None:
    assert arguments(target, library) == CONFIG


def test_a_class_with_an_init_of_its_own_has_the_arguments_of_that(library: tuple[str, ...]) -> None:
    assert arguments("lib.inner.config.Plain", library) == {"model": "str", "dtype": ""}
    assert arguments("lib.inner.config.Wide", library) == {"seed": "int", "lr": "int", "size": "int"}


def test_defaults_are_read_as_they_are_written(library: tuple[str, ...]) -> None:
    found = declared("lib.Config", library) or {}
    assert {name: str(each) for name, each in found.items()} == {
        "seed": "int = 42", "lr": "float = 1e-05", "size": "'int | None' = None", "names": "list[str] = list()",
    }  # fmt: skip
    function = declared("lib.function", library) or {}
    assert [str(each) for each in function.values()] == ["", "int = 2", "str = ''"]


def test_a_name_from_another_package_is_found(library: tuple[str, ...]) -> None:
    assert arguments("lib.Elsewhere", library) == {"here": "bool"}


def test_a_function_has_the_parameters_that_can_be_given_by_name(library: tuple[str, ...]) -> None:
    assert arguments("lib.function", library) == {"first": "", "second": "int", "third": "str"}


@pytest.mark.parametrize(
    "target", ["lib.Nothing", "lib.nowhere.Config", "nolib.Config", "Config", "lib.", "", ".", "lib..x"]
)
def test_what_is_not_there_has_no_arguments_to_tell(target: str, library: tuple[str, ...]) -> None:
    assert arguments(target, library) is None


def test_the_working_folder_may_be_searched(library: tuple[str, ...]) -> None:
    assert arguments("nolib.Config", ("", *library)) is None
    assert arguments("lib.Config", ("", *library)) == CONFIG


def test_a_function_of_the_standard_library_is_read_as_it_is() -> None:
    assert list(arguments("shutil.copytree") or ()) == list(inspect.signature(shutil.copytree).parameters)


def test_a_pydantic_class_is_read_as_it_is() -> None:
    assert list(arguments("training_hub.params.Params") or ()) == list(Params.model_fields)


@pytest.mark.needs("trl")
def test_the_fields_are_those_of_the_installed_library() -> None:
    code = "import trl, dataclasses; print(*(field.name for field in dataclasses.fields(trl.SFTConfig) if field.init))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(arguments("trl.SFTConfig") or ()) == sorted(done.stdout.split())


@pytest.mark.needs("trl")
def test_reading_imports_nothing() -> None:
    code = (
        "import sys; from training_hub.installed.signature import arguments; assert arguments('trl.SFTConfig'); "
        "print([name for name in ('trl', 'torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_constant_is_read_with_or_without_its_type(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text("from typing import Optional\nplain = 'a'\ntyped: Optional[str] = 'b'\n")
    assert [constant(f"lib.{name}", (str(tmp_path),)) for name in ("plain", "typed", "none")] == ["a", "b", None]


def test_this_package_is_found_where_sys_path_does_not_lead_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an editable install, seen from any folder but the checkout."""
    monkeypatch.setattr(sys, "path", [])
    assert list(arguments("training_hub.workers.trl.train") or ())[:2] == ["run", "config"]
