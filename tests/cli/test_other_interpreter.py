"""A worker under another interpreter, which has the libraries and neither this package nor what the front needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.workers.conftest import conversation
from training_hub.installed import trust
from training_hub.installed.interpreter import look_at, running
from training_hub.run import RunDir

PROBE = """
import importlib.util, json, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from training_hub.errors import fault

def main(*arguments):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        text = pool.submit(fault, "lr", -1, "must be greater than 0").result()
    neighbours = [name for name in ("tests", "scripts", "conf", "errors") if importlib.util.find_spec(name)]
    print(json.dumps([sys.prefix, neighbours, text, arguments]))
    return 3
"""

ALONE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # where the tests' copy may stand


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the libraries of this one; whatever starts in it writes a line to $WITNESS."""
    folder = tmp_path_factory.mktemp("other") / "env"
    venv.create(folder, with_pip=False)
    [site] = folder.glob("lib/*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(here) + "\n")
    (site / "witness.pth").write_text(
        "import os, sys; open(os.environ.get('WITNESS', os.devnull), 'a').write(sys.prefix + '\\n')\n"
    )
    for name in ("hydra", "omegaconf"):
        (site / f"{name}.py").write_text("raise ImportError('not in this environment')\n")
    return folder


@pytest.fixture
def python(other: Path) -> str:
    trust.allow(pythons=[str(other / "bin" / "python")])
    return str(other / "bin" / "python")


def test_it_is_another_environment_without_the_front(python: str, other: Path, tmp_path: Path) -> None:
    for name in ("training_hub", "hydra", "omegaconf"):
        done = subprocess.run(
            [python, "-c", f"import {name}"], cwd=tmp_path, env=ALONE, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(("ModuleNotFoundError", "ImportError"))
    assert look_at(python).search_path != look_at(None).search_path


def test_it_gets_this_package_and_nothing_that_lies_beside_it(python: str, other: Path, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    done = subprocess.run(
        [*running(python, "probe"), "a b", "c"], cwd=tmp_path, env=ALONE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout) == [str(other), [], "lr=-1: must be greater than 0", ["a b", "c"]]


def test_the_interpreter_of_this_program_needs_no_such_help() -> None:
    assert running(None, "training_hub.worker") == [sys.executable, "-m", "training_hub.worker"]
    assert running(sys.executable, "training_hub.worker") == [sys.executable, "-m", "training_hub.worker"]


def test_it_is_asked_once_however_many_checks_there_are(python: str, tmp_path: Path, rows: Path) -> None:
    counting = tmp_path / "python"
    counting.write_text(f'#!/bin/sh\necho asked >> {tmp_path}/count\nexec {python} "$@"\n')
    counting.chmod(0o755)
    done = hub("plan", f"model_path={tmp_path}/model", f"data_path={rows}", f"backend.python={counting}", at=tmp_path)
    assert (tmp_path / "count").read_text().splitlines() == ["asked"], done.stderr


@pytest.mark.parametrize("version", ["[2, 7]", "[3, 10]"])
def test_a_python_that_is_too_old_is_one_line(version: str, tmp_path: Path, rows: Path) -> None:
    old = tmp_path / "python"
    old.write_text(f"#!/bin/sh\necho '[{version}, []]'\n")
    old.chmod(0o755)
    done = hub("plan", f"model_path={tmp_path}/model", f"data_path={rows}", f"backend.python={old}", at=tmp_path)
    number = ".".join(map(str, json.loads(version)))
    expected = f"backend.python={old}: is Python {number}, the worker needs 3.11 or newer"
    assert (done.returncode, done.stderr.splitlines()) == (2, [expected])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of rows beside a folder that the front takes for a model."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(conversation(number)) + "\n" for number in range(8)))
    return tmp_path / "rows.jsonl"


def hub(*words: str, at: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The real command line in a folder that is not the repository."""
    return subprocess.run(
        [sys.executable, "-m", "training_hub", *words],
        cwd=at, env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.needs("trl")
def test_a_run_trains_there_on_two_processes(python: str, other: Path, tiny: Path, rows: Path, tmp_path: Path) -> None:
    words = [
        f"model_path={tiny}", f"data_path={rows}", "effective_batch_size=4", "max_steps=2", "recipe.bf16=false",
        "output_dir=run", f"data.cache_dir={tmp_path}/cache", f"backend.python={python}", "nproc_per_node=2",
    ]  # fmt: skip
    done = hub(*words, at=tmp_path, WITNESS=str(tmp_path / "witness"))
    run = RunDir(tmp_path / "run")
    assert done.returncode == 0, done.stderr + run.log_tail()
    result = run.read_result()
    assert result is not None
    assert (result.status, result.metrics["steps"]) == ("completed", 2)
    assert run.read_manifest()["commands"][0][:3] == [python, "-m", "torch.distributed.run"]
    started = (tmp_path / "witness").read_text().splitlines()
    assert set(started) == {str(other)}
    assert len(started) >= 4, "the question of the front, torchrun, and two workers"


@pytest.mark.slow
@pytest.mark.needs("trl")
def test_rows_are_shown_there(python: str, other: Path, tiny: Path, rows: Path, tmp_path: Path) -> None:
    words = [f"model_path={tiny}", f"data_path={rows}", f"data.cache_dir={tmp_path}/cache", f"backend.python={python}"]
    done = hub("validate", *words, at=tmp_path, WITNESS=str(tmp_path / "witness"))
    assert done.returncode == 0, done.stderr
    assert "rows read" in done.stdout
    assert set((tmp_path / "witness").read_text().splitlines()) == {str(other)}
