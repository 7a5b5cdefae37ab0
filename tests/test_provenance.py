"""What a run says of its origin, and what it must never say: secrets."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import folder  # noqa: F401  a fixture
from training_hub import provenance, train
from training_hub.errors import ConfigError
from training_hub.provenance import fingerprint, git_state, manifest
from training_hub.run import RunDir

GIVEN = ["algorithm=sft", "backend=trl", "model_path=model", "data_path=rows.jsonl", "output_dir=run"]
SECRET = "hf_kept0123456789secret"
WORKER = """
import os

def train(run, config):
    print("a worker sees its environment:", "HF_TOKEN" in os.environ)
    run.append_metrics(step=1, loss=1.0, seconds=0.1)
    return {"status": "completed", "checkpoint_path": None, "metrics": {"final_loss": 1.0, "steps": 1.0}}
"""


@pytest.fixture
def here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model, rows, and a worker that trains nothing."""
    place: Path = request.getfixturevalue("folder")
    monkeypatch.chdir(place)
    (place / "small_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")])))
    return place


def git(*arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def test_a_fingerprint_tells_contents_apart(tmp_path: Path) -> None:
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / name).write_text(text)
    prints = {name: fingerprint(tmp_path / name) or {} for name in "abc"}
    assert prints["a"]["sha256"] == prints["b"]["sha256"] != prints["c"]["sha256"]
    assert (prints["a"]["bytes"], prints["a"]["path"]) == (4, str(tmp_path / "a"))


def test_a_fingerprint_of_a_folder_changes_with_names_and_contents(tmp_path: Path) -> None:
    def changed() -> str:
        return str((fingerprint(tmp_path) or {})["sha256"])

    (tmp_path / "a").write_text("1")
    seen = [changed()]
    (tmp_path / "a").write_text("2")
    seen.append(changed())
    (tmp_path / "a").rename(tmp_path / "b")
    seen.append(changed())
    (tmp_path / "a").write_text("")
    seen.append(changed())
    assert len(set(seen)) == len(seen)


def test_a_large_file_counts_by_its_size_and_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_HEAD_BYTES", 2)
    file = tmp_path / "weights"

    def seen(content: bytes) -> str:
        file.write_bytes(content)
        return str((fingerprint(file) or {})["sha256"])

    middle = b"m" * 200
    assert seen(b"ab" + middle + b"yz") == seen(b"ab" + b"n" * 200 + b"yz")
    assert len({seen(b"ab" + middle + b"yz"), seen(b"aX" + middle + b"yz"), seen(b"ab" + middle + b"Xz")}) == 3


def test_large_files_of_different_size_differ_although_their_ends_are_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_HEAD_BYTES", 2)
    for name, length in (("a", 200), ("b", 201)):
        (tmp_path / name).write_bytes(b"m" * length)
    assert (fingerprint(tmp_path / "a") or {})["sha256"] != (fingerprint(tmp_path / "b") or {})["sha256"]


def test_what_is_not_here_has_no_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "ORG" / "NAME") is None


def test_outside_a_repository_there_is_no_git_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None


def test_a_repository_has_a_commit_and_may_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git("init")
    assert git_state(tmp_path) is None, "no commit yet"
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    state = git_state(tmp_path)
    assert state is not None
    assert (len(state["commit"]), state["changed"]) == (40, False)
    (tmp_path / "untracked").write_text("1")
    assert git_state(tmp_path) == state
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == state | {"changed": True}


@pytest.mark.parametrize("where", ["fsmonitor", "hook", "clean", "process", "fetch"])
def test_nothing_that_a_repository_names_is_executed(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository from elsewhere, its `.git` included; the canary shows that git alone would have run the program."""
    monkeypatch.chdir(tmp_path)
    git("init")
    Path("file").write_text("1")
    Path(".gitattributes").write_text("file filter=a=b\n")
    git("add", "file", ".gitattributes")
    git("commit", "-m", "first")
    program = tmp_path / ".git" / "hooks" / "post-index-change"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    program.chmod(0o755)
    if where == "fsmonitor":
        git("config", "core.fsmonitor", str(program))
    elif where == "fetch":  # of an object that is missing
        tree = subprocess.run(["git", "rev-parse", "HEAD:"], check=True, capture_output=True, text=True).stdout.strip()
        Path(f".git/objects/{tree[:2]}/{tree[2:]}").unlink()
        for name, value in (("promisor", "true"), ("url", str(tmp_path)), ("uploadpack", str(program))):
            git("config", f"remote.origin.{name}", value)
        git("config", "extensions.partialClone", "origin")
    elif where != "hook":
        git("config", f"filter.a=b.{where}", str(program))
        git("config", "filter.a=b.required", "true")
    if where != "hook":
        git("config", "core.hooksPath", "none")
    Path("file").write_text("2")
    state = git_state(tmp_path)
    assert state is not None
    assert state["changed"]
    assert not Path("canary").exists()
    subprocess.run(["git", "status"], check=False, stdin=subprocess.DEVNULL, capture_output=True)
    assert Path("canary").exists()


def test_without_git_there_is_no_git_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_a_manifest_says_what_was_typed_where_and_on_what(here: Path) -> None:
    config = {"model": {"path": "model"}, "data": {"path": "rows.jsonl"}}
    found = manifest(["training-hub", "lr=1e-5", "data_path=a b"], config, {"algorithm": "sft", "backend": "trl"})
    json.dumps(found)
    assert found["command"] == "training-hub lr=1e-5 'data_path=a b'"
    assert (found["folder"], found["algorithm"], found["backend"]) == (str(here), "sft", "trl")
    assert found["data"]["path"] == str(here / "rows.jsonl")
    assert found["machine"]["cores"] >= 1


@pytest.mark.needs("trl")
def test_no_file_of_a_run_holds_a_secret_of_the_environment(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    result = train.run(train.plan(train.composed([*GIVEN, "backend.worker=small_worker.train"])))
    assert result.status == "completed"
    files = [file for file in (here / "run").rglob("*") if file.is_file()]
    assert RunDir("run").log.read_text() == "a worker sees its environment: True\n"
    assert {"config.yaml", "overrides.yaml", "manifest.json", "result.json"} <= {file.name for file in files}
    assert [file.name for file in files if SECRET.encode() in file.read_bytes()] == []


@pytest.mark.needs("trl")
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("typed", ["recipe.run_name=${oc.env:MY_API_KEY}", f"recipe.run_name=a{SECRET}b"])
def test_a_secret_in_a_config_is_refused_and_not_shown(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRET)
    with pytest.raises(ConfigError) as error:
        train.plan(train.composed([*GIVEN, typed]))
    rule = "holds MY_API_KEY, and would be written to the run directory; drop it, MY_API_KEY is enough"
    assert error.value.faults == (f"recipe.run_name=***: {rule}",)


@pytest.mark.needs("trl")
@pytest.mark.usefixtures("here")
def test_what_only_sounds_like_a_secret_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TOKENIZERS_PARALLELISM": "rows.jsonl",
        "MY_TOKEN": "auto",
        "TIKTOKEN_CACHE_DIR": "rows.jsonl",
    }.items():
        monkeypatch.setenv(name, value)
    assert train.plan(train.composed(GIVEN)).spec.run_dir == "run"


@pytest.mark.needs("trl")
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "typed",
    [
        f"recipe.run_name={SECRET}",
        f"logger.mlflow.tags={{{SECRET}: 1}}",
        f"logger.mlflow.tags={{a: [x, {{b: '{SECRET}'}}]}}",
        "logger.mlflow.tags={password: swordfish}",
        "logger.mlflow.tags={api_key: 12345}",
        "logger.mlflow.tags={x: abc12}",
        "logger.mlflow.tracking_uri=https://canary@host/x",
        "logger.mlflow.tracking_uri='  http://user:can/ary@host/x'",
        "recipe.run_name='DATABASE=postgresql://u:canary@h/x'",
        "recipe.run_name='host=db password=canary'",
        f"output_dir=runs/{SECRET}",
        f"lr={SECRET}",
        f"packing={SECRET}",
        f"resume={SECRET}",
        f"backend={SECRET}",
        f"algorithm={SECRET}",
        f"{SECRET}=3",
        f"+{SECRET}@x=3",
        f"~{SECRET}",
        f"hydra.job.name={SECRET}",
        f"hydra/launcher={SECRET}",
        f"recipe.{SECRET}=1",
        f"model.dtype={SECRET}",
        f"lr=[{SECRET}",
        f"seed={SECRET},1",
        f"model_path={SECRET}/x",
        f"data_path=/tmp/{SECRET}",
        f"recipe.run_name=${{no_such:{SECRET}}}",
        f"lr_scheduler={SECRET}",
        f"lr_scheduler_kwargs={SECRET}",
        f"backend.python={SECRET}",
        f"recipe._target_={SECRET}.x",
        f"callbacks.x={{_target_: {SECRET}.X}}",
    ],
)
def test_a_secret_is_refused_or_a_fault_and_never_shown(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_KEY", SECRET)
    monkeypatch.setenv("DB_PWD", "abc12")
    with pytest.raises(ConfigError) as error:
        train.plan(train.composed([*GIVEN, typed]))
    assert [
        word for word in (SECRET, "canary", "ary@", "swordfish", "12345", "abc12") if word in str(error.value)
    ] == []
    assert "***" in str(error.value)
    assert not Path("run").exists()
