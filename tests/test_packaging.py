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
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
# Packages that a backend wants in another version than the one that the development environment has.
APART = {"unsloth": {"datasets", "fsspec", "huggingface-hub", "transformers", "trl"}}
KINDS = (".yaml", ".lock", ".json")
CONFIGS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "conf").rglob("*") if path.suffix in KINDS)


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
    assets = {path.relative_to(ROOT).as_posix() for path in (ROOT / "training_hub").rglob("assets/*")}
    assert assets
    assert shipped == modules | configs | assets | {"training_hub/py.typed", "training_hub/__init__.pyi"}


@pytest.mark.slow
def test_the_version_is_that_of_the_newest_tag(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("training_hub", "conf"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"], ["tag", "v1.2.3"]):
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["training_hub-1.2.3-py3-none-any.whl"]


def test_no_page_or_message_installs_by_the_name_of_another_project() -> None:
    """The name on the public index is another project's."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("training_hub", "docs", "conf", "examples")
        for path in [*(ROOT / folder).rglob("*.*"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
        if path.suffix in (".py", ".md", ".yaml") and re.search(r"pip install [^\n]*training-hub", path.read_text())
    ]
    assert found == []


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


@pytest.fixture(scope="module", params=sorted((ROOT / "conf" / "backend").glob("*.yaml")), ids=lambda file: file.stem)
def backend(request: pytest.FixtureRequest) -> Path:
    file: Path = request.param
    return file


def locked(backend: Path) -> dict[str, Requirement]:
    """What a backend's lock pins."""
    lines = [line for line in backend.with_suffix(".lock").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in map(Requirement, lines)}


def test_a_lock_pins_what_its_backend_requires_and_everything_to_one_version(backend: Path) -> None:
    pinned = {name: str(each.specifier).removeprefix("==") for name, each in locked(backend).items()}
    for line in yaml.safe_load(backend.read_text())["requires"]:
        asked = Requirement(line)
        assert asked.specifier.contains(pinned[canonicalize_name(asked.name)]), line
    assert all(re.fullmatch(r"[\w.]+", version) for version in pinned.values())


def test_a_lock_has_the_tested_versions_where_its_backend_can_have_them(backend: Path, pins: dict[str, str]) -> None:
    tested = {canonicalize_name(name): version for name, version in pins.items()}
    pinned = locked(backend)
    other = {name for name, each in pinned.items() if name in tested and not each.specifier.contains(tested[name])}
    assert other <= APART.get(backend.stem, set())


@pytest.mark.slow
def test_a_lock_is_what_the_script_makes(backend: Path) -> None:
    code = f"import lock_environments as script; print(script.lock({backend.stem!r}), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    assert backend.with_suffix(".lock").read_text() == done.stdout


@pytest.mark.slow
def test_the_extras_resolve_and_those_that_do_not_go_together_are_declared(tmp_path: Path) -> None:
    """uv resolves each set of extras that is not declared to conflict; without the declarations it finds none."""

    def resolves(text: str) -> bool:
        (tmp_path / "pyproject.toml").write_text(text)
        (tmp_path / "README.md").write_text("")
        (tmp_path / "LICENSE").write_text("")
        command = [sys.executable, "-m", "uv", "lock", "--quiet", "--dry-run"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0

    text = (ROOT / "pyproject.toml").read_text()
    assert resolves(text)
    assert not resolves(re.sub(r"^conflicts = \[.*?^\]", "", text, flags=re.DOTALL | re.MULTILINE))


def test_a_pin_is_a_public_version_of_a_package_and_nothing_else(pins: dict[str, str]) -> None:
    for name, version in pins.items():
        assert re.fullmatch(r"[\w.-]+", name), name
        assert re.fullmatch(r"[\d.]+(\.?(a|b|rc|post)\d+)?", version), (name, version)
