"""Folders of runs and sweeps: one's own are taken at their word, others are not, whatever they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from training_hub import train
from training_hub.cli import main
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir

GIVEN = ["model_path=model", "data_path=rows.jsonl"]
EVIL = {"backend": {"python": "/tmp/evil/python", "worker": "evil.train"}, "trust_remote_code": True,
        "callbacks": {"x": {"_target_": "evil.C"}}, "launcher": {"setup": ["touch canary"]}}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run that this user has begun, from an experiment of a folder that is gone; nothing is launched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps({'messages': turns})}\n" * 3)
    experiment = tmp_path / "mine" / "experiment" / "ours.yaml"
    experiment.parent.mkdir(parents=True)
    experiment.write_text("# @package _global_\ntrust_remote_code: true\nlr: 1e-4\n")
    words = [*GIVEN, "experiment=ours", "trust=true", "output_dir=run"]
    train.lay_out(train.plan(train.composed(words, [str(tmp_path / "mine")])), ["python"])
    RunDir("run").update_manifest(status="interrupted")
    shutil.rmtree(tmp_path / "mine")
    return RunDir("run")


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The configs that would be trained with, instead of training."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(train, "run", lambda planned, command: seen.append(planned.config))
    return seen


def test_ones_own_run_is_resumed_without_a_word(run: RunDir, launched: list[dict[str, Any]]) -> None:
    assert main(["resume", "run"]) == 0
    assert launched[0]["trust_remote_code"] is True
    assert launched[0]["lr"] == 1e-4


def test_ones_own_run_is_resumed_from_where_it_was_moved_to(run: RunDir, launched: list[dict[str, Any]]) -> None:
    shutil.copytree("run", "copy")
    assert main(["resume", "copy"]) == 0
    assert launched[0]["output_dir"] == str(Path("copy").absolute())


@pytest.mark.parametrize("change", ["another user", "no seal", "overrides", "an option", "another folder", "config"])
def test_a_folder_from_elsewhere_asks_for_a_word(
    change: str,
    run: RunDir,
    launched: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if change == "another user":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    elif change == "no seal":
        (run.path / ".seal").unlink()
    elif change == "overrides":
        run.overrides.write_text(yaml.safe_dump([*run.read_overrides(), "seed=1"]))
    elif change == "an option":
        (run.conf / "experiment" / "ours.yaml").write_text("# @package _global_\nlr: 1e-3\n")
    elif change == "another folder":
        (tmp_path / "there").mkdir()
        run.update_manifest(folder=str(tmp_path / "there"))
    else:
        run.config.write_text(yaml.safe_dump(run.read_config() | {"lr": 1.0}))
    for command in (["resume", "run"], ["resume", "run", "trust=false"]):
        assert main(command) == 2
        text = capsys.readouterr().err
        assert text.startswith("resume run: not written by you here, or changed since; it would run backend.worker=")
        assert "trust_remote_code=True" in text
        assert text.endswith("; add trust=true if you trust the folder\n")
        assert text.count("\n") == 1
    assert main(["export", "run", "output_dir=out"]) == 2
    assert not launched


def test_a_word_makes_a_folder_from_elsewhere_ones_own(
    run: RunDir, launched: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert main(["resume", "run", "trust=true"]) == 0
    assert len(launched) == 1
    monkeypatch.chdir(tmp_path)
    words = [*RunDir("run").read_overrides(), "output_dir=run", "resume=auto"]
    train.lay_out(train.plan(train.composed(words, [str(run.conf)])), ["python"])
    assert RunDir("run").is_own()


def test_the_word_in_the_folder_itself_does_not_count(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its overrides say trust=true, and so may the config."""
    assert "trust=true" in run.read_overrides()
    assert run.read_config()["trust"] is True
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert main(["resume", "run"]) == 2


@pytest.mark.parametrize("verb", [["export", "run"], ["interpolate", "run", "run"]], ids=" ".join)
def test_what_a_foreign_folder_names_is_neither_executed_nor_taken(
    verb: list[str], run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    script.chmod(0o755)
    final = run.final_checkpoint
    final.mkdir(parents=True)
    (final / "config.json").write_text("{}")
    (final / "model.safetensors").write_text("x")
    config = run.read_config() | EVIL
    config["backend"] = config["backend"] | {"python": str(script)}
    run.config.write_text(yaml.safe_dump(config))
    for target in ([verb[0], *verb[1:]], [verb[0], *(str(final) for _ in verb[1:])]):
        assert main([*target, "output_dir=out"]) == 2
        text = capsys.readouterr().err
        assert f"it would run backend.python={script}, backend.worker=evil.train, callbacks.x._target_=evil.C" in text
    assert not (tmp_path / "canary").exists()


def test_nothing_is_executed_to_look_at_a_foreign_folder(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    script.chmod(0o755)
    run.config.write_text(yaml.safe_dump(run.read_config() | EVIL | {"backend": {"python": str(script)}}))
    run.metrics.write_text(json.dumps({"step": 1, "loss": 1.0}) + "\n")
    for verb in (["status", "run"], ["report", "run", "output=page.html"], ["plot", "run"], ["logs", "run"]):
        main(verb)
    capsys.readouterr()
    assert not (tmp_path / "canary").exists()


def test_without_a_place_for_the_key_a_run_begins_and_resume_asks(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    train.lay_out(train.plan(train.composed([*GIVEN, "output_dir=second"])), ["python"])
    assert main(["resume", "second"]) == 2
    assert "not written by you here" in capsys.readouterr().err


def test_a_sweep_from_elsewhere_asks_for_a_word_too(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = SweepDir("swept")
    sweep.path.mkdir()
    words = [*GIVEN, "lr=1e-5,1e-6", "backend.python=/tmp/evil/python"]
    sweep.write([], {}, overrides=words, config_dirs=[], folder=str(tmp_path), status="failed")
    assert sweep.is_own()
    sweep.update(status="running")
    assert sweep.is_own()
    sweep.update(overrides=[*words, "seed=1"])
    assert main(["resume", "swept"]) == 2
    text = capsys.readouterr().err
    assert text.startswith("resume swept: not written by you here, or changed since; it would run ")
    assert "backend.python=/tmp/evil/python" in text
