"""A launcher that another package brings (examples/extension), through the real command line."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweeps.test_whole_sweep import QUICK
from training_hub.cli import main
from training_hub.results.state import runs_in, state
from training_hub.run import RunDir

GIVEN = ["model_path=model", "data_path=rows.jsonl", "launcher=background", "output_dir=run"]
REAL = ["model_path=tiny", "data_path=train.jsonl", *GIVEN[2:]]
LAUNCHER = "training_hub_anchor.background.BackgroundLauncher"


@pytest.fixture(autouse=True)
def installed(extension: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, installed for this process and those that it starts."""
    monkeypatch.syspath_prepend(str(extension))
    paths = [str(Path(__file__).parents[2]), str(extension), QUICK]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def place(tiny: Path, here: Path) -> Path:
    """The working folder, with a model that can be trained."""
    (here / "tiny").symlink_to(tiny)
    row = {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two three"}]}
    (here / "train.jsonl").write_text(f"{json.dumps(row)}\n" * 16)
    return here


def hub(place: Path, *words: str) -> str:
    """What a command prints; it must succeed."""
    command = [sys.executable, "-m", "training_hub", *words]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def is_over(run: RunDir) -> bool:
    return not state(run).may_go_on


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "trl")
def test_a_job_trains_is_cancelled_and_resumed(place: Path) -> None:
    run = RunDir(place / "run")
    small = ["effective_batch_size=4", "max_seq_len=32", "data.cache_dir=cache", "recipe.bf16=false"]
    printed = hub(place, *REAL, *small, "num_epochs=2000", "wait=false")
    name = run.read_job()
    assert name is not None
    assert name.launcher == LAUNCHER
    assert f"submitted job {name.id}; follow it with: python -m training_hub logs -f {run.path}\n" in printed
    wait_for(lambda: run.read_metrics() or is_over(run))
    assert f"running: job {name.id} on " in hub(place, "status", "run")
    assert hub(place, "cancel", "run") == "run: asked to save and stop after this step\n"
    wait_for(lambda: is_over(run))
    assert (state(run).word, state(run).reason) == ("interrupted", "")
    reached = run.read_metrics()[-1]["step"]
    shown = hub(place, "logs", "run", "-n", "9999")
    assert f"job {name.id}" in shown
    resumed = hub(place, "resume", "run", f"max_steps={int(reached) + 5}", "wait=true")
    assert f"from step {int(reached)}:" in resumed
    assert "completed in" in resumed
    assert [row["step"] for row in run.read_metrics()][-1] == reached + 5
    assert run.read_job() != name


@pytest.mark.needs("torch", "transformers")
def test_a_sweep_waits_for_its_turn_and_what_waits_is_cancelled(place: Path) -> None:
    words = [*REAL, "backend.worker=quick_worker.train", "max_steps=5000", "wait=false"]
    assert "submitted 2 jobs" in hub(place, "-m", *words, "lr=1e-3,1e-4", "jobs=1")
    runs = runs_in(place / "run")
    wait_for(lambda: any(run.read_metrics() for run in runs))
    shown = hub(place, "status", "run")
    assert sorted(state(run).word for run in runs) == ["pending", "running"]
    assert shown.count("its turn comes later") == 1
    [waiting] = [run for run in runs if state(run).word == "pending"]
    [running] = [run for run in runs if run is not waiting]
    cancelled = hub(place, "cancel", "run")
    assert cancelled.count("is cancelled\n") == cancelled.count("asked to save and stop after this step\n") == 1
    wait_for(lambda: all(map(is_over, runs)))
    assert [state(run).word for run in runs] == ["interrupted"] * 2
    assert state(waiting).reason.endswith(": cancelled")
    assert not waiting.read_metrics()
    assert running.read_metrics()


@pytest.mark.needs("torch", "transformers")
def test_a_job_is_ended_at_once_with_all_that_it_started(place: Path) -> None:
    hub(place, *REAL, "backend.worker=quick_worker.train", "max_steps=5000")
    run = RunDir(place / "run")
    wait_for(run.read_metrics)
    assert hub(place, "cancel", "run", "--now").endswith("is cancelled\n")
    wait_for(lambda: is_over(run))
    assert state(run).word == "interrupted"
    assert subprocess.run(["pgrep", "-f", str(run.path)], check=False, capture_output=True).stdout == b""


def test_every_verb_names_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "launcher/background" in capsys.readouterr().out
    main(["doctor"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("background")]
    assert rows == [["background", platform.system(), platform.release(), "ok"]]
    assert main(["--help", "launcher=background"]) == 0
    assert "nice" in capsys.readouterr().out
    assert main(["plan", *GIVEN, "nproc_per_node=2"]) == 0
    shown = capsys.readouterr().out
    assert ", launcher background\n" in shown
    assert "-m torch.distributed.run --nnodes=1 --nproc-per-node=2 --standalone" in shown
    assert main(["explain", *GIVEN]) == 0
    assert "launcher.nice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["nice=20"], "nice=20: must be less than or equal to 19"),
        (["nice=fast"], "nice=fast: must be a whole number"),
        (["nproc_per_node=0"], "nproc_per_node=0: must be greater than 0"),
        (["nicer=1"], "nicer=1: no such parameter; did you mean nice?"),
        (["launcher.host=a"], "launcher.host=a: no such parameter"),
        (["nodes=2"], "nodes=2: sft has no such parameter; it belongs to launcher=slurm"),
    ],
)
def test_a_line_says_what_is_wrong(
    typed: list[str], expected: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *GIVEN, *typed]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(expected)


def test_a_sweep_is_not_limited_where_the_launcher_cannot(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["plan", "-m", *GIVEN, "seed=1,2", "jobs=2"]
    assert main(words) == 0
    monkeypatch.setattr(f"{LAUNCHER}.limits", False)
    assert main(words) == 2
    assert capsys.readouterr().err == "jobs=2: background runs all jobs of a sweep at once; drop it\n"


def test_a_file_alone_sets_nothing_that_the_launcher_says_it_executes(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "conf" / "experiment").mkdir(parents=True)
    (here / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nlauncher: {nice: 3}\n")
    words = ["plan", "--config-dir", "conf", "experiment=mine", *GIVEN]
    assert main(words) == 0
    monkeypatch.setattr(f"{LAUNCHER}.executes", lambda setting, value: setting == "nice")
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(
        "launcher.nice=3: executes code, so experiment/mine.yaml alone cannot set it"
    )
    assert main([*words, "launcher.nice=3"]) == 0
