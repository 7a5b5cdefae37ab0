"""Folders that are there in full or not at all, also where several processes want the same one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from training_hub.data.cache import Report, cached, fingerprint, key_of
from training_hub.data.place import cache_folder

ASK = """
import sys, time
from pathlib import Path
from training_hub.data.cache import cached

def build(folder):
    (Path(sys.argv[1]) / "builds").open("a").write("x")
    time.sleep(0.3)
    (folder / "rows").write_text("rows")
    return {"rows": 1}

place, report = cached(Path(sys.argv[1]) / "cache", "key", build)
print((place / "rows").read_text())
"""


def test_processes_that_ask_at_once_share_one_build(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASK, str(tmp_path)]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [each.communicate()[0] for each in asking] == ["rows\n"] * 4
    assert (tmp_path / "builds").read_text() == "x"


def test_a_second_ask_finds_the_folder(tmp_path: Path) -> None:
    def build(folder: Path) -> Report:
        return {"rows": 1}

    assert cached(tmp_path, "key", build)[1] == {"rows": 1, "from_cache": False}
    assert cached(tmp_path, "key", build)[1] == {"rows": 1, "from_cache": True}
    assert not cached(tmp_path, "other", build)[1]["from_cache"]


def test_what_a_dead_process_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".key").mkdir()
    (tmp_path / ".key" / "half").write_text("torn")

    def build(folder: Path) -> Report:
        assert list(folder.iterdir()) == []
        return {}

    place, _ = cached(tmp_path, "key", build)
    assert [path.name for path in place.iterdir()] == ["report.json"]


def test_a_build_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    def build(folder: Path) -> Report:
        (folder / "half").write_text("torn")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached(tmp_path, "key", build)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_keys_depend_on_every_part() -> None:
    assert key_of(a=1, b=[2]) == key_of(b=[2], a=1)
    assert len({key_of(a=1), key_of(a=2), key_of(b=1), key_of(a=1, b=None)}) == 4


def test_a_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    for folder, text in (("one", "x"), ("two", "x"), ("three", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.arrow").write_text(text)
    (tmp_path / "two" / "cache-123.arrow").write_text("left by a map")
    one, two, three = (fingerprint(str(tmp_path / folder)) for folder in ("one", "two", "three"))
    assert one == two != three
    assert fingerprint(str(tmp_path / "one" / "data.arrow")) != fingerprint(str(tmp_path / "three" / "data.arrow"))


def test_a_fingerprint_of_a_folder_depends_on_the_names_of_its_files(tmp_path: Path) -> None:
    for folder, names in (("one", "ab"), ("two", "ba"), ("three", "ac")):
        (tmp_path / folder).mkdir()
        for name, text in zip(names, ("x", "y"), strict=True):
            (tmp_path / folder / f"{name}.jsonl").write_text(text)
    assert len({fingerprint(str(tmp_path / folder)) for folder in ("one", "two", "three")}) == 3


def test_the_cache_stands_where_caches_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "training_hub" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "training_hub" / "data"
