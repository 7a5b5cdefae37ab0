"""What is shipped: the packages, the config in them, and the pinned versions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "conf").rglob("*.yaml"))


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, so that no earlier build leaks into it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("training_hub", "conf"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, source], check=True
    )
    return next(built.glob("*.whl"))


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "training_hub").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_every_config(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "training_hub").rglob("*.py")}
    configs = {f"training_hub/{name}" for name in [*CONFIGS, "conf/__init__.py"]}
    assert any(name.count("/") > 2 for name in CONFIGS)  # one inside a folder of a folder
    assert shipped == modules | configs | {"training_hub/py.typed"}


@pytest.mark.slow
def test_an_installed_wheel_finds_its_config(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    listing = subprocess.run(
        [sys.executable, "-m", "training_hub", "--cfg", "job"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "recipe:" in listing.stdout


def test_what_is_pinned_satisfies_what_is_asked_for(pyproject: dict[str, Any], pins: dict[str, str]) -> None:
    project = pyproject["project"]
    extras = {name: asked for name, asked in project["optional-dependencies"].items() if name != "unsloth"}
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    for line in [*project["dependencies"], *(line for asked in extras.values() for line in asked)]:
        asked = Requirement(line)
        if asked.name != project["name"]:
            assert asked.specifier.contains(pinned[canonicalize_name(asked.name)]), line


def test_a_pin_is_a_public_version_of_a_package_and_nothing_else(pins: dict[str, str]) -> None:
    for name, version in pins.items():
        assert re.fullmatch(r"[\w.-]+", name), name
        assert re.fullmatch(r"[\d.]+(\.?(a|b|rc|post)\d+)?", version), (name, version)
