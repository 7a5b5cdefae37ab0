"""`env`: environments are made whole or not at all, found by the backend, listed and removed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from training_hub import train
from training_hub.cli import main
from training_hub.config import choices, groups
from training_hub.installed import environments
from training_hub.verbs.env import uv
from training_hub.verbs.env.actions import USAGE
from training_hub.verbs.env.create import create
from training_hub.verbs.list.tables import state

# A backend of one small library that is not installed here.
BACKEND = """
defaults: [trl, _self_]
python: ${own_python:small,${.requires}}
requires: ["iniconfig>=2,<2.1"]
needs_gpu: false
"""
LOCK = "iniconfig==2.0.0\ntorch==2.13.0\n"


@pytest.fixture(autouse=True)
def envs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the environments of this test lie."""
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "envs"))
    return tmp_path / "envs"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A backend that has a lock."""
    conf = shutil.copytree(groups.CONF, tmp_path / "conf")
    (conf / "backend" / "small.yaml").write_text(BACKEND)
    (conf / "backend" / "small.lock").write_text(LOCK)
    (conf / "recipe" / "sft" / "small.yaml").write_text("_target_: trl.SFTConfig\n")
    monkeypatch.setattr(groups, "CONF", conf)
    return "small"


@pytest.fixture
def silent_index() -> Iterator[str]:
    """A package index that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.slow
def test_an_environment_is_made_found_listed_and_removed(
    small: str, envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["env", "create", small]) == 0
    python = str(envs / small / "bin" / "python")
    assert capsys.readouterr().out == f"made {envs / small}\nbackend=small runs there from now on\n"
    assert left(envs) == [small]
    assert state(small) == f"ready, in {python}"
    assert train.composed(["backend=small"]).cfg.backend.python == python
    assert main(["env", "list"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("small")]
    assert line.split(None, 2) == [small, str(envs / small), "iniconfig 2.0.0  ready"]
    choices.lock_of(small).write_text(LOCK + "# changed\n")
    assert main(["env", "list"]) == 0
    assert "iniconfig 2.0.0  ready, of other versions than are locked now\n" in capsys.readouterr().out
    assert main(["env", "create", small]) == 2
    assert capsys.readouterr().err == (
        f"env create small: {envs / small} is there; to make it anew: env remove small\n"
    )
    assert main(["env", "remove", small]) == 0
    assert left(envs) == []
    assert train.composed(["backend=small"]).cfg.backend.python is None


@pytest.mark.slow
def test_its_versions_are_those_of_the_lock(small: str, envs: Path) -> None:
    choices.lock_of(small).write_text("iniconfig==2.0.0\n")
    (groups.CONF / "backend" / "small.yaml").write_text(BACKEND.replace("iniconfig>=2,<2.1", "iniconfig"))
    place = create(small)
    assert [path.name for path in place.glob("lib/*/site-packages/*.dist-info")] == ["iniconfig-2.0.0.dist-info"]


def test_a_backend_that_is_installed_here_runs_here(small: str, envs: Path) -> None:
    python = envs / small / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert train.composed(["backend=small"]).cfg.backend.python == str(python)
    assert train.composed(["backend=small", "backend.requires=[pytest]"]).cfg.backend.python is None
    assert train.composed(["backend=small", "backend.python=null"]).cfg.backend.python is None


def test_the_doctor_looks_for_each_backend_in_its_own_environment(
    small: str, envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = envs / small / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert main(["doctor", "backend=small"]) == 1, "the environment is empty"
    table = dict(line.split(None, 1) for line in capsys.readouterr().out.partition("\nbackend ")[2].splitlines()[1:])
    assert table["trl"] == state("trl")
    assert table["small"].startswith("missing: iniconfig")


def test_without_a_network_there_is_one_line_and_nothing_is_left(
    envs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert main(["env", "create", "trl"]) == 1
    text = capsys.readouterr().err.splitlines()[-1]
    assert text.startswith("uv pip: No solution found when resolving dependencies: Because ")
    assert left(envs) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_create_leaves_nothing(number: signal.Signals, envs: Path, silent_index: str) -> None:
    env = {**os.environ, "UV_DEFAULT_INDEX": silent_index, "UV_NO_CACHE": "1"}
    command = [sys.executable, "-m", "training_hub", "env", "create", "trl"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while left(envs) != [".trl"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left(envs) == [".trl"]
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert left(envs) == []


def test_what_a_killed_create_left_is_no_environment(envs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (envs / ".trl" / "bin").mkdir(parents=True)
    (envs / ".trl" / "bin" / "python").symlink_to(sys.executable)
    assert environments.python_of("trl") is None
    assert main(["env", "list"]) == 0
    assert "trl                   -            -    not made\n" in capsys.readouterr().out


def test_an_environment_whose_interpreter_is_gone_is_called_broken(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (envs / "trl" / "bin").mkdir(parents=True)
    (envs / "trl" / "bin" / "python").symlink_to("/no/such/python")
    assert main(["env", "list"]) == 0
    assert "broken; env remove trl\n" in capsys.readouterr().out
    assert main(["env", "remove", "trl"]) == 0
    assert left(envs) == []


def test_two_processes_do_not_make_environments_at_once(
    envs: Path, silent_index: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", silent_index)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "training_hub", "env", "create", "trl"], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while left(envs) != [".trl"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert main(["env", "create", "trl"]) == 2
        assert capsys.readouterr().err == f"{envs}: another process is at work there; wait for its end\n"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], f"env: names no action; {USAGE}"),
        (["mkae"], f"env mkae: no such action; {USAGE}"),
        (["lst"], "env lst: no such action; did you mean list?"),
        (["create"], "env create: names no backend; choose from "),
        (["create", "mini-trainr"], "env create mini-trainr: no such backend with locked versions; did you mean mini-"),
        (["remove", "nothing"], "env remove nothing: no such backend with locked versions; choose from "),
        (["create", "trl", "torhc=cpu"], "torhc=cpu: no such setting; did you mean torch?"),
        (["create", "trl", "mini-trainer"], "mini-trainer: not a setting; write NAME=VALUE"),
        (["remove", "trl", "torch=cpu"], f"env remove: torch means nothing here; {USAGE}"),
        (["list", "trl"], f"env list: trl means nothing here; {USAGE}"),
        (["remove", "trl"], "env remove trl: there is none in "),
        (["create", "trl", "--config-dir", "x"], "--config-dir=x: env reads no config groups; drop it"),
        (["list", "-m"], "env: not for sweeps; drop -m"),
    ],
)
def test_what_cannot_be_done_is_one_line(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(expected)


def test_without_uv_the_way_to_it_is_named(
    envs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)  # as where it is not installed
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["env", "create", "trl"]) == 2
    expected = "env create: needs uv, which is not installed; pip install uv\n"
    assert capsys.readouterr().err == expected
    assert left(envs) == []


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "file" / "envs"))
    assert main(["env", "create", "trl"]) == 2
    expected = f"{tmp_path}/file/envs: cannot be written, Not a directory; set TRAINING_HUB_ENVS to another folder\n"
    assert capsys.readouterr().err == expected


def test_the_folder_follows_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environments.VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert environments.folder() == Path("/data/training_hub/envs")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert environments.folder() == Path.home() / ".local/share/training_hub/envs"


def test_uv_is_told_what_pip_is_told() -> None:
    said = uv.translated(
        "global.index-url='https://one/simple'\n"
        "global.extra-index-url='https://two/simple https://three/simple'\n"
        "install.find-links='\\n/wheels\\n/more'\n"
        ":env:.index-url='https://four/simple'\n"
        "global.timeout='60'\nfreeze.index-url='https://five'\n"
    )
    assert said == {
        "UV_DEFAULT_INDEX": "https://four/simple",
        "UV_EXTRA_INDEX_URL": "https://two/simple https://three/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    assert uv.translated("") == {}
    assert uv.translated("global.no-index='true'") == {"UV_NO_INDEX": "1"}


def test_pips_own_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/some/wheels")
    assert uv.told_by_pip()["UV_FIND_LINKS"] == "/some/wheels"
