"""The user's key, and what is recognised by it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from training_hub.run import RunDir
from training_hub.seal import NAME, is_sealed, seal

CONTENT = {"config.yaml": b"lr: 1\n"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key of this test's user, which is not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "training_hub" / "key"


def run_in(folder: Path, config: str = "1") -> RunDir:
    run = RunDir(folder)
    run.create({"lr": config}, ["lr=1"], {"status": "created", "folder": "/home/me"}, {"experiment/mine": "lr: 1\n"})
    return run


def test_what_was_written_is_recognised_wherever_it_is_moved(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    assert run.is_own()
    run.path.rename(tmp_path / "moved")
    assert RunDir(tmp_path / "moved").is_own()
    RunDir(tmp_path / "moved").update_manifest(status="running", host="node1")
    assert RunDir(tmp_path / "moved").is_own(), "what a worker notes is not what a run starts from"


@pytest.mark.parametrize("name", ["config.yaml", "overrides.yaml", "conf/experiment/mine.yaml", "conf/data/new.yaml"])
def test_what_was_changed_since_is_not(name: str, tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    file = run.path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + "\nlr: 2\n")
    assert not run.is_own()


def test_another_folder_to_start_in_counts_as_changed(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    run.update_manifest(folder="/elsewhere")
    assert not run.is_own()


def test_a_link_among_the_options_is_not_followed(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    (tmp_path / "other").mkdir()
    (run.conf / "algorithm").symlink_to(tmp_path / "other")
    assert not run.is_own()


def test_another_users_folder_is_not_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_in(tmp_path / "run")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert not run.is_own()
    seal(tmp_path, CONTENT)
    assert not run.is_own(), "nor with a key of one's own"


def test_a_file_that_was_about_to_be_written_does_not_make_the_old_one_unknown(tmp_path: Path) -> None:
    """Whatever dies between the seal and the file, or between two files, leaves what is recognised."""
    run, other = run_in(tmp_path / "run"), run_in(tmp_path / "other", "2")
    run.seal({"config.yaml": other.config.read_text()})
    assert run.is_own()
    run.config.write_text(other.config.read_text())
    assert run.is_own()


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    with (run.path / NAME).open("a") as file:
        file.write("abc")
    other = run_in(tmp_path / "other", "2").config.read_text()
    run.seal({"config.yaml": other})
    run.config.write_text(other)
    assert run.is_own()


def test_the_key_is_the_users_alone(state: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        seal(tmp_path, CONTENT)
    finally:
        os.umask(before)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert [file.name for file in state.parent.iterdir()] == ["key"]
    assert is_sealed(tmp_path, CONTENT)
    state.chmod(0o644)
    assert not is_sealed(tmp_path, CONTENT), "others may have read it"


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_what_is_no_key_is_not_used(content: bytes, state: Path, tmp_path: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_bytes(content)
    state.chmod(0o600)
    seal(tmp_path, CONTENT)
    assert not is_sealed(tmp_path, CONTENT)


@pytest.mark.parametrize("home", ["/proc/no/home", "/dev/null", ""])
def test_without_a_place_for_the_key_nothing_is_sealed_and_nothing_fails(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", home)
    if not home:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    run = run_in(tmp_path / "run")
    assert run.exists()
    assert not run.is_own()


def test_a_relative_state_folder_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    monkeypatch.chdir(tmp_path)
    seal(tmp_path, CONTENT)
    assert (tmp_path / ".local" / "state" / "training_hub" / "key").exists()


@pytest.mark.parametrize("links", [True, False], ids=["with hard links", "without"])
def test_processes_that_race_for_the_key_agree_on_one(links: bool, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from training_hub.seal import seal\n"
        "def no_links(*_): raise PermissionError\n"
        f"{'' if links else 'os.link = no_links'}\n"
        "seal(Path(sys.argv[1]), {'config.yaml': b'lr: 1\\n'})\n"
    )
    folders = [tmp_path / str(number) for number in range(8)]
    for folder in folders:
        folder.mkdir()
    racing = [subprocess.Popen([sys.executable, "-c", code, str(folder)]) for folder in folders]
    assert [each.wait() for each in racing] == [0] * 8
    assert all(is_sealed(folder, CONTENT) for folder in folders)
