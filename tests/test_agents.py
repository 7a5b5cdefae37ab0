"""AGENTS.md says what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "AGENTS.md").read_text()


def test_every_path_that_it_names_exists() -> None:
    named = re.findall(r"`((?:[\w.*-]+/)[\w./*-]*)`", TEXT)
    assert len(named) > 20
    missing = [path for path in named if not any(ROOT.glob(path)) and not any((ROOT / "training_hub").glob(path))]
    assert missing == []


def test_every_folder_of_the_project_has_a_row() -> None:
    modules = {f"training_hub/{path.parent.name}" for path in (ROOT / "training_hub").glob("*/__init__.py")}
    tops = {"bench", "conf", "docs", "examples", "scripts", "tests"}
    assert sorted(folder for folder in modules | tops if f"`{folder}/`" not in TEXT) == []


def test_every_target_of_make_that_it_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"^make ([a-z-]+)", TEXT, re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


def test_every_script_that_makes_files_has_a_row() -> None:
    making = {path.name for path in (ROOT / "scripts").glob("*.py") if "Write " in path.read_text().partition("\n")[0]}
    assert sorted(name for name in making if f"scripts/{name}" not in TEXT) == []
