"""Keep prepared data in folders that are named by everything that it depends on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training_hub.data.read import read_rows
from training_hub.errors import ConfigError, fault

Report = dict[str, Any]


def cached(folder: Path, key: str, build: Callable[[Path], Report]) -> tuple[Path, Report]:
    """The folder of this key and the report in it; built first where it is not there.

    build: writes into the new, empty folder that it is given and returns the report. Several processes may ask at
    once: one builds, the others wait. A folder is there in full or not at all. Raises ConfigError where the cache
    cannot be written.
    """
    from filelock import FileLock  # half as long to import as Hydra, and the front needs only fingerprints

    place = folder / key
    report = place / "report.json"
    if not report.exists():
        _make(folder)
        with FileLock(folder / f"{key}.lock"):
            if not report.exists():
                _build(place, build)
        return place, json.loads(report.read_text()) | {"from_cache": False}
    return place, json.loads(report.read_text()) | {"from_cache": True}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        rule = f"cannot be written: {error.strerror}"
        raise ConfigError(fault("data.cache_dir", folder, rule, "give another folder")) from error


def _build(place: Path, build: Callable[[Path], Report]) -> None:
    """Build beside the final place, under the lock of its key: what is left of an earlier attempt is dead."""
    unfinished = place.with_name(f".{place.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        report = build(unfinished)
        (unfinished / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        shutil.rmtree(place, ignore_errors=True)  # whose report somebody has removed
        os.replace(unfinished, place)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def key_of(**parts: Any) -> str:
    """A name for a combination of JSON-able values and of the code that works on them."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return hashlib.sha256(json.dumps(parts | {"code": code}, sort_keys=True).encode()).hexdigest()[:32]


def fingerprint(path: str) -> str:
    """SHA-256 of the content of a file, of all files of a folder, or of all rows of a dataset on the hub."""
    place = Path(path)
    if place.is_file():
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    if place.is_dir():
        for each in sorted(place.rglob("*")):
            if each.is_file() and not each.name.startswith("cache-"):  # datasets leaves results of map there
                digest.update(f"{each.relative_to(place)} {fingerprint(str(each))}\n".encode())
    else:
        for _, row in read_rows(path):
            digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()
