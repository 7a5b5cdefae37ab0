"""Folders that `save_to_disk` of the library datasets writes, looked at without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def torn(folder: Path) -> str | None:
    """Why a folder is no whole dataset, None where it is one: each file that it names is there."""
    if (folder / "dataset_dict.json").exists():
        splits = _entry(folder / "dataset_dict.json", "splits")
        if not isinstance(splits, list) or "train" not in splits:
            return 'its dataset_dict.json names no split "train"'
        return torn(folder / "train") if (folder / "train").is_dir() else "its folder train is missing"
    if not (folder / "dataset_info.json").exists():
        return "not a dataset folder"
    files = _entry(folder / "state.json", "_data_files")
    if not isinstance(files, list):
        return "torn: its state.json is missing, or names no files of rows"
    names = [str(each.get("filename")) for each in files if isinstance(each, dict)]
    lost = [name for name in names if not (folder / name).is_file()]
    return f"torn: {lost[0]} is missing" if lost else None


def _entry(file: Path, key: str) -> Any:
    """An entry of a JSON file, None where that cannot be read."""
    try:
        return json.loads(file.read_bytes())[key]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
