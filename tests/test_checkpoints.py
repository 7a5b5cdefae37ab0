"""Sealed checkpoints: there in full or not at all, and nothing broken is gone on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training_hub import checkpoints
from training_hub.checkpoints import SEAL, latest_checkpoint
from training_hub.errors import RunFailed
from training_hub.run import RunDir

FILES = {"model.safetensors": b"weights" * 1000, "optimizer.pt": b"moments" * 1000, "rng/state_0.pth": b"dice"}
Save = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run without a checkpoint."""
    directory = RunDir(tmp_path / "run")
    directory.create({}, [], {"status": "running"})
    return directory


@pytest.fixture
def save(run: RunDir) -> Save:
    """Save a checkpoint of small files the way that a trainer does."""

    def write(step: int, full: bool = True) -> Path:
        unfinished = run.unfinished / f"checkpoint-{step}"
        for name, content in FILES.items():
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name).write_bytes(content)
        checkpoints.seal(unfinished, step=step, full=full)
        checkpoints.publish(unfinished, run.checkpoint(step))
        return run.checkpoint(step)

    return write


def newest(run: RunDir, thorough: bool = True) -> int | None:
    found = latest_checkpoint(run, thorough).newest
    return found.step if found else None


def test_a_run_without_checkpoints_has_none(run: RunDir, tmp_path: Path) -> None:
    assert latest_checkpoint(run) == checkpoints.Search(None, {})
    assert latest_checkpoint(RunDir(tmp_path / "nowhere")).newest is None


def test_the_newest_is_the_one_with_most_steps_not_the_last_by_name(run: RunDir, save: Save) -> None:
    for step in (9, 100, 20):
        save(step)
    assert newest(run) == 100


def test_a_seal_lists_every_file_with_size_and_hash(run: RunDir, save: Save) -> None:
    facts = json.loads((save(1) / SEAL).read_text())
    assert set(facts["files"]) == set(FILES)
    part = hashlib.sha256(FILES["optimizer.pt"]).digest()
    listed = {"bytes": 7000, "sha256": hashlib.sha256(part).hexdigest()}
    assert facts["files"]["optimizer.pt"] == listed


def test_a_file_of_several_parts_is_hashed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_PART", 1000)
    file = tmp_path / "file"
    found = []
    for change in (None, 0, 999, 1000, 2499):
        content = bytearray(2500)
        if change is not None:
            content[change] = 1
        file.write_bytes(content)
        found.append(checkpoints.digests([file])[file])
    assert len(set(found)) == 5
    parts = [hashlib.sha256(bytes(size)).digest() for size in (1000, 1000, 500)]
    assert found[0] == hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("name", FILES)
def test_where_a_file_is_missing_the_one_before_is_taken(run: RunDir, save: Save, name: str) -> None:
    save(1)
    (save(2) / name).unlink()
    search = latest_checkpoint(run)
    assert search.newest is not None
    assert search.newest.step == 1
    assert search.refused == {run.checkpoint(2): f"{Path(name).name} is missing"}


def test_a_file_that_is_too_short_is_found_without_reading_it(run: RunDir, save: Save) -> None:
    (save(1) / "optimizer.pt").write_bytes(b"moments")
    assert latest_checkpoint(run).refused == {run.checkpoint(1): "optimizer.pt has 7 of 7,000 bytes"}


def test_a_file_that_has_changed_is_found_by_its_hash(run: RunDir, save: Save) -> None:
    (save(1) / "optimizer.pt").write_bytes(b"MOMENTS" * 1000)
    assert newest(run, thorough=False) == 1
    assert latest_checkpoint(run, thorough=True).refused == {run.checkpoint(1): "optimizer.pt has changed"}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"step": 1}', '{"step": "x", "files": {}, "full": true}'])
def test_a_seal_that_cannot_be_read_is_a_reason(run: RunDir, save: Save, content: str) -> None:
    (save(1) / SEAL).write_text(content)
    assert latest_checkpoint(run).refused == {run.checkpoint(1): f"its {SEAL} cannot be read"}


def test_a_folder_without_a_seal_is_no_checkpoint(run: RunDir) -> None:
    run.checkpoint(3).mkdir()
    assert latest_checkpoint(run).refused == {run.checkpoint(3): f"it has no {SEAL}"}


def test_weights_alone_are_not_enough(run: RunDir, save: Save) -> None:
    save(1, full=False)
    assert latest_checkpoint(run).refused == {run.checkpoint(1): "it holds only the weights (save_only_model)"}


def test_whatever_else_lies_there_is_not_looked_at(run: RunDir, save: Save) -> None:
    save(1)
    for name in (
        "final",
        "checkpoint-x",
        "checkpoint-2.old",
        "torn-checkpoint-3",
        ".unfinished",
        ".removed-checkpoint-4",
    ):
        (run.checkpoints / name).mkdir(exist_ok=True)
    (run.checkpoints / "checkpoint-5").write_text("a file")
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-1"]


def test_the_oldest_make_room_and_the_newest_stays(run: RunDir, save: Save) -> None:
    for step in (1, 2, 3, 10):
        save(step)
    checkpoints.prune(run, 2)
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-3", "checkpoint-10"]
    checkpoints.prune(run, None)
    checkpoints.prune(run, 1, [run.checkpoint(3)])
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-3", "checkpoint-10"]


def test_one_that_is_torn_drives_no_sound_one_out(run: RunDir, save: Save) -> None:
    save(1)
    for step in (2, 3):
        run.checkpoint(step).mkdir()
    checkpoints.prune(run, 1)
    assert newest(run) == 1


def test_weights_alone_drive_out_none_that_can_be_gone_on_from(run: RunDir, save: Save) -> None:
    for step in (1, 2):
        save(step)
    for step in (3, 4):
        save(step, full=False)
        checkpoints.prune(run, 1)
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-2", "checkpoint-4"]


def test_a_save_that_fails_makes_room_for_its_reason(run: RunDir) -> None:
    (run.unfinished / "checkpoint-1").mkdir(parents=True)
    message = r"^the checkpoint could not be saved with [\d.]+ GB free on the disk: OSError: no space$"
    with pytest.raises(RunFailed, match=message), checkpoints.saving(run):
        raise OSError("no space\nleft")
    assert list(run.checkpoints.iterdir()) == []


def test_one_that_is_set_aside_keeps_its_content_and_is_not_found(run: RunDir, save: Save) -> None:
    for number in range(2):
        aside = checkpoints.set_aside(save(1), "torn")
        assert aside.name == ("torn-checkpoint-1", "torn-checkpoint-1_2")[number]
        assert (aside / "optimizer.pt").exists()
    assert checkpoints.saved(run) == []


def test_a_death_at_any_file_of_a_save_leaves_the_checkpoint_before(
    run: RunDir, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(1)
    for fatal in ("_digest", "sync_all", "write_atomically", "publish"):
        with monkeypatch.context() as patched:

            def die(*_: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(checkpoints, fatal, die)
            with pytest.raises(KeyboardInterrupt):
                save(2)
        assert newest(run) == 1
        checkpoints.clear_unfinished(run)
        assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-1"]
    save(2)
    assert newest(run) == 2


def test_a_death_while_one_is_removed_leaves_no_torn_one(
    run: RunDir, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(1)
    save(2)
    with monkeypatch.context() as patched:
        deaths = iter([None])
        patched.setattr(checkpoints.shutil, "rmtree", lambda path, ignore_errors=False: ignore_errors or next(deaths))
        checkpoints.prune(run, 1)
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-2"]
    checkpoints.clear_unfinished(run)
    assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-2"]


def test_another_run_adopts_a_checkpoint_without_copying_it(run: RunDir, save: Save, tmp_path: Path) -> None:
    save(4)
    run.append_metrics(step=4, loss=1.0)
    other = RunDir(tmp_path / "other")
    other.create({}, [], {"status": "running"})
    checkpoints.adopt(checkpoints.read(run.checkpoint(4)), other)
    assert newest(other) == 4
    assert (other.checkpoint(4) / "optimizer.pt").samefile(run.checkpoint(4) / "optimizer.pt")
    assert other.read_metrics() == run.read_metrics()
    run.create({}, [], {"status": "running"})
    assert newest(other) == 4


def test_who_may_read_a_new_file_may_read_a_published_one(run: RunDir) -> None:
    unfinished = run.unfinished / "final"
    (unfinished / "part").mkdir(parents=True)
    for name in ("model.safetensors", "part/other.safetensors"):
        (unfinished / name).touch(mode=0o600)
    checkpoints.publish(unfinished, run.final_checkpoint)
    usual = unfinished.parent.parent / "usual"
    usual.touch()
    modes = {path.stat().st_mode for path in run.final_checkpoint.rglob("*.safetensors")}
    assert modes == {usual.stat().st_mode}
