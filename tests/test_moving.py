"""Folders move and go also where the file system cannot rename them, and are never taken for whole in part."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from training_hub import checkpoints, moving
from training_hub.checkpoints import latest_checkpoint
from training_hub.run import RunDir


def sealed(run: RunDir, step: int) -> Path:
    """Save a checkpoint the way that a trainer does."""
    unfinished = run.unfinished / f"checkpoint-{step}"
    (unfinished / "inner").mkdir(parents=True)
    (unfinished / "optimizer.pt").write_bytes(b"moments")
    (unfinished / "inner" / "rng").write_bytes(b"dice")
    checkpoints.seal(unfinished, step=step, full=True)
    checkpoints.publish(unfinished, run.checkpoint(step))
    return run.checkpoint(step)


def begun(folder: Path) -> RunDir:
    run = RunDir(folder)
    run.create({}, [], {"status": "running"})
    return run


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Path]:
    """A run with two checkpoints and a model that came with the image of a container: on a genuine overlay."""
    parts = [tmp_path / name for name in ("lower", "upper", "work", "merged")]
    for part in parts:
        part.mkdir()
    lower, upper, work, merged = map(str, parts)
    run = begun(Path(lower, "run"))
    for step in (1, 2):
        sealed(run, step)
    run.final_checkpoint.mkdir()
    (run.final_checkpoint / "config.json").write_text("old")
    options = f"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=off"
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, merged], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("no overlay can be mounted here")
    yield Path(merged, "run")
    subprocess.run(["umount", "--lazy", merged], check=True)


@pytest.fixture
def fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same where nothing can be mounted: what is there now cannot be renamed."""
    run = begun(tmp_path / "run")
    for step in (1, 2):
        sealed(run, step)
    run.final_checkpoint.mkdir()
    (run.final_checkpoint / "config.json").write_text("old")
    of_the_image = {path.stat().st_ino for path in run.path.rglob("*") if path.is_dir()}
    rename = os.rename

    def refusing(source: str | Path, target: str | Path) -> None:
        if Path(source).stat().st_ino in of_the_image:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    return run.path


@pytest.fixture(params=["overlay", "fixed"])
def run(request: pytest.FixtureRequest) -> RunDir:
    return RunDir(request.getfixturevalue(request.param))


def names(run: RunDir) -> list[str]:
    return sorted(path.name for path in run.checkpoints.iterdir())


def test_a_folder_of_the_image_cannot_be_renamed(run: RunDir) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
        run.checkpoint(1).rename(run.checkpoint(7))


def test_the_oldest_make_room(run: RunDir) -> None:
    sealed(run, 3)
    checkpoints.prune(run, 1)
    assert names(run) == ["checkpoint-3", "final"]


def test_a_checkpoint_is_put_in_place_of_an_older_one(run: RunDir) -> None:
    sealed(run, 2)
    assert latest_checkpoint(run, thorough=True).newest == checkpoints.read(run.checkpoint(2))
    sealed(run, 2)  # the new one is no part of the image
    assert names(run) == ["checkpoint-1", "checkpoint-2", "final"]


def test_the_model_is_put_in_place_of_an_older_one(run: RunDir) -> None:
    run.unfinished.mkdir()
    (run.unfinished / "final").mkdir()
    (run.unfinished / "final" / "config.json").write_text("new")
    checkpoints.publish(run.unfinished / "final", run.final_checkpoint)
    assert (run.final_checkpoint / "config.json").read_text() == "new"


def test_what_is_set_aside_is_whole(run: RunDir) -> None:
    aside = checkpoints.set_aside(run.checkpoint(2), "later")
    assert names(run) == ["checkpoint-1", "final", "later-checkpoint-2"]
    assert checkpoints.fault_of(aside, thorough=True) is None


def test_a_run_goes_on_in_place_of_another(run: RunDir) -> None:
    run.create({}, [], {"status": "running"})
    assert names(run) == []


def test_another_run_adopts_a_checkpoint(run: RunDir, tmp_path: Path) -> None:
    other = begun(tmp_path / "other")
    checkpoints.adopt(checkpoints.read(run.checkpoint(2)), other)
    assert latest_checkpoint(other, thorough=True).newest


@pytest.mark.parametrize("torn", ["checkpoint-9", ".moving-checkpoint-9", ".removed-checkpoint-9"])
def test_what_a_death_left_is_cleared(tmp_path: Path, torn: str) -> None:
    run = begun(tmp_path / "run")
    (run.checkpoints / torn).mkdir()
    (run.checkpoints / torn / moving.REMOVED).touch()
    checkpoints.clear_unfinished(run)
    assert names(run) == []


def dies_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A death in the middle: where a folder is copied, or where it begins to be removed under its own name."""
    real = getattr(shutil, name)

    def dies(path: Path, *rest: object, **more: object) -> None:
        if more.get("ignore_errors"):
            real(path, *rest, **more)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, name, dies)


@pytest.mark.parametrize("at", ["copytree", "rmtree"])
def test_a_death_while_one_is_copied_leaves_one_that_is_whole(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    with monkeypatch.context() as dying:
        dies_at(dying, at)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.set_aside(run.checkpoint(2), "later")
    checkpoints.clear_unfinished(run)
    left = [path for path in run.checkpoints.glob("*checkpoint-2") if checkpoints.fault_of(path, thorough=True) is None]
    assert len(left) == 1
    assert names(run) == sorted(["checkpoint-1", "final", left[0].name])


def test_a_death_while_one_is_removed_leaves_none_that_is_taken_for_whole(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dies_at(dying, "rmtree")
        with pytest.raises(KeyboardInterrupt):
            checkpoints.remove(run.checkpoint(2))
    newest = latest_checkpoint(run).newest
    assert newest
    assert newest.step == 1
    checkpoints.clear_unfinished(run)
    assert names(run) == ["checkpoint-1", "final"]


def test_from_one_file_system_to_another(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system is all there is")
    source = tmp_path / "state"
    source.mkdir()
    (source / "weights").write_text(json.dumps([1, 2]))
    (source / "link").symlink_to("weights")
    target = memory / f"training_hub-{os.getpid()}"
    try:
        moving.move(source, target)
        assert (target / "link").readlink() == Path("weights")
        assert (target / "weights").read_text() == "[1, 2]"
        assert not list(tmp_path.iterdir())
    finally:
        shutil.rmtree(target, ignore_errors=True)


def test_another_error_of_a_rename_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        moving.move(tmp_path / "none", tmp_path / "there")
    with pytest.raises(FileNotFoundError):
        moving.remove(tmp_path / "none")
