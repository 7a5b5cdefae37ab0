"""Whole sweeps through the real command line, with real worker processes that learn nothing (quick/quick_worker.py)."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.typed import beside
from training_hub.machine.processes import MARK, kill_marked, marked
from training_hub.results.state import runs_in, state
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir

QUICK = str(Path(__file__).parent / "quick")
PATHS = os.pathsep.join(filter(None, [QUICK, os.environ.get("PYTHONPATH")]))
ENV = {**os.environ, "PYTHONPATH": PATHS, "CUDA_VISIBLE_DEVICES": ""}
OPTUNA = ["hydra/sweeper=optuna", "lr=tag(log,interval(1e-5,1e-1))", "hydra.sweeper.n_jobs=1"]


def start(words: list[str], folder: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command, env = [sys.executable, "-m", "training_hub", *words], ENV | (env or {})
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(words: list[str], folder: Path) -> tuple[int, str]:
    """Exit status, and all that was printed."""
    process = start(words, folder)
    shown, errors = process.communicate(timeout=120)
    return process.returncode, shown + errors


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def rows(sweep: SweepDir, *keys: str) -> list[tuple[str, ...]]:
    with sweep.results.open() as file:
        return [tuple(row[key] for key in keys) for row in csv.DictReader(file)]


@pytest.fixture
def quick(words: list[str]) -> list[str]:
    return ["-m", *words, "backend.worker=quick_worker.train", "max_steps=2", "output_dir=swept"]


def test_a_sweep_ends_with_a_ranked_table_and_goes_on_with_what_failed(quick: list[str], tmp_path: Path) -> None:
    words = [*quick, "lr=1e-4,1e-3,3", "jobs=2"]
    status, shown = finish(words, tmp_path)
    sweep = SweepDir(tmp_path / "swept")
    assert status == 1
    assert rows(sweep, "lr", "status", "eval_loss", "error") == [
        ("0.0001", "completed", "1.0", ""), ("0.001", "completed", "0.0", ""),
        ("3", "failed", "", "ValueError: that is too much"),
    ]  # fmt: skip
    table = [line.split() for line in shown.partition("─")[2].splitlines()[1:4]]
    assert [line[:3] for line in table] == [["1", "0.001", "completed"], ["2", "0.0001", "completed"], table[2][:3]]
    assert (sweep.read()["status"], len(list(sweep.path.glob("*/loss.png")))) == ("failed", 2)

    before = {file: file.stat().st_mtime_ns for file in sweep.path.glob("*/result.json")}
    status, shown = finish([*words, "resume=true"], tmp_path)
    assert (status, "1 of 3 runs to start" in shown) == (1, True)
    assert [file.parent.name[:5] for file, when in before.items() if file.stat().st_mtime_ns != when] == ["lr=3-"]

    assert finish([*words, "resume=true", "seed=7"], tmp_path) == (
        2,
        "output_dir=swept: holds another sweep: 3 of its 3 runs are not among these; choose another, or type the same "
        "settings\n",
    )
    assert finish(words, tmp_path)[1].startswith("output_dir=swept: already holds a sweep; choose another, or resume")


def test_a_sweep_that_was_stopped_goes_on(quick: list[str], tmp_path: Path) -> None:
    words = beside(quick, ["max_steps=120", "seed=1,2,3", "jobs=2"])
    sweep, process = SweepDir(tmp_path / "swept"), start(words, tmp_path)
    wait_for(lambda: sum(len(RunDir(path.parent).read_metrics()) > 3 for path in sweep.path.glob("*/config.yaml")) == 2)
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert "stopping: 2 running, 1 will not start" in shown
    assert shown.count("Ctrl-C again") == 1, shown
    assert shown.splitlines()[-1] == f"resume  python -m training_hub resume {sweep.path}"
    assert sorted(rows(sweep, "status")) == [("interrupted",), ("interrupted",), ("pending",)]
    assert finish(["status", "swept"], tmp_path)[1].splitlines()[-1] == "(1 of the sweep's 3 runs have not begun)"
    status, shown = finish(["resume", str(sweep.path), "jobs=3"], tmp_path.parent)
    assert (status, rows(sweep, "status")) == (0, [("completed",)] * 3), shown
    assert [line[:3] for line in shown.splitlines() if line[1:2] == "/"] == ["1/3", "2/3", "3/3"]
    assert sweep.read()["status"] == "completed"


def test_a_sweep_whose_process_was_killed_goes_on(quick: list[str], tmp_path: Path) -> None:
    words = beside(quick, ["max_steps=40", "seed=1,2", "jobs=2"])
    sweep, process = SweepDir(tmp_path / "swept"), start(words, tmp_path)
    wait_for(lambda: len(list(sweep.path.glob("*/metrics.jsonl"))) == 2)
    process.kill()
    process.communicate()
    status, shown = finish([*words, "resume=true"], tmp_path)
    assert (status, rows(sweep, "status")) == (0, [("completed",)] * 2), shown


@pytest.mark.needs("mini_trainer")
def test_a_run_that_cannot_go_on_begins_anew_and_the_sweep_goes_on(quick: list[str], tmp_path: Path) -> None:
    words = [*quick, "backend=mini-trainer", "backend.needs_gpu=false", "lr=1e-3,3"]
    assert finish(words, tmp_path)[0] == 1
    status, shown = finish([*words, "resume=true"], tmp_path)
    assert (status, "1 of 2 runs to start\nlr=3 starts over: backend=mini-trainer cannot resume" in shown) == (
        1,
        True,
    ), shown


def test_cancel_takes_the_folder_of_a_sweep(quick: list[str], tmp_path: Path) -> None:
    words = beside(quick, ["max_steps=1000", "seed=1,2"])
    sweep, process = SweepDir(tmp_path / "swept"), start(words, tmp_path)
    wait_for(lambda: list(sweep.path.glob("*/metrics.jsonl")))
    assert finish([*words, "resume=true"], tmp_path)[1].startswith(f"output_dir={sweep.path}: a sweep is running")
    assert finish(["cancel", "swept"], tmp_path)[0] == 0
    process.communicate(timeout=60)
    assert (process.returncode, rows(sweep, "status")) == (75, [("interrupted",), ("pending",)])


def ranks(shown: str) -> list[list[str]]:
    """Place and first setting of each row of the table."""
    return [line.split()[:2] for line in shown.partition("─")[2].partition("\n\n")[0].splitlines()[1:]]


def test_a_sweep_is_ranked_by_the_metric_that_is_asked_for(quick: list[str], tmp_path: Path) -> None:
    words, sweep = [*quick, "lr=1e-4,1e-2,1e-3", "jobs=3"], SweepDir(tmp_path / "swept")
    status, shown = finish([*words, "rank_by=my/scor", "rank_mode=max"], tmp_path)
    assert (status, shown.splitlines()[-1]) == (
        2,
        "rank_by=my/scor: no completed run has measured it; did you mean my/score? (loss, eval_loss, step, my/score), "
        f"then python -m training_hub resume {sweep.path} rank_by=my/score rank_mode=max",
    )
    assert [place for place, _ in ranks(shown)] == ["0.0001", "0.01", "0.001"]  # none has a place
    before = {file: file.stat().st_mtime_ns for file in sweep.path.glob("*/result.json")}

    status, shown = finish(["resume", "swept", "rank_by=my/score", "rank_mode=max"], tmp_path)
    assert (status, ranks(shown)) == (0, [["1", "0.01"], ["2", "0.001"], ["3", "0.0001"]]), shown
    assert rows(sweep, "lr", "my/score") == [("0.0001", "0.8"), ("0.01", "1.0"), ("0.001", "0.9")]
    assert (sweep.read()["rank_by"], sweep.read()["rank_mode"]) == ("my/score", "max")
    assert {file: file.stat().st_mtime_ns for file in before} == before

    for again in (["resume", "swept"], [*words, "resume=auto"]):  # typed or not, the ranking stays
        assert ranks(finish(again, tmp_path)[1])[0] == ["1", "0.01"]
    assert ranks(finish(["resume", "swept", "rank_by=null"], tmp_path)[1])[0] == ["1", "0.001"]


@pytest.mark.slow
@pytest.mark.needs("optuna")
def test_optuna_maximises_the_metric_that_ranks(quick: list[str], tmp_path: Path) -> None:
    words, sweep = [*quick, *OPTUNA, "rank_by=my/score", "hydra.sweeper.n_trials=3"], SweepDir(tmp_path / "swept")
    status, shown = finish([*words, "rank_mode=max", "hydra.sweeper.direction=minimize"], tmp_path)
    assert (status, shown) == (
        2, "hydra.sweeper.direction=minimize: the runs are ranked by the highest my/score; drop it\n"
    )  # fmt: skip
    status, shown = finish([*words, "rank_mode=max"], tmp_path)
    best = max(float(score) for (score,) in rows(sweep, "my/score"))
    assert (status, f"Best value: {best}" in shown) == (0, True), shown
    status, shown = finish([*words, "rank_mode=min", "resume=auto"], tmp_path)
    assert (status, shown) == (
        2,
        "rank_by=my/score: the values of this sweep were chosen by rank_by=my/score rank_mode=max; drop it, or start a "
        "new sweep\n",
    )


@pytest.mark.slow
@pytest.mark.needs("optuna")
def test_optuna_ends_where_a_run_does_not_measure_what_it_optimises(quick: list[str], tmp_path: Path) -> None:
    words = [*quick, *OPTUNA, "rank_by=my/scor", "rank_mode=max", "hydra.sweeper.n_trials=3"]
    status, shown = finish(words, tmp_path)
    assert (status, len(rows(SweepDir(tmp_path / "swept"), "lr"))) == (2, 1), shown
    assert "rank_by=my/scor: no completed run has measured it; did you mean my/score?" in shown.splitlines()[-1]
    status, shown = finish(["resume", "swept", "rank_by=my/score", "rank_mode=max"], tmp_path)
    assert (status, len(rows(SweepDir(tmp_path / "swept"), "my/score"))) == (0, 3), shown


@pytest.mark.slow
@pytest.mark.needs("optuna")
def test_optuna_goes_on_with_its_study(quick: list[str], tmp_path: Path) -> None:
    sweep, words = SweepDir(tmp_path / "swept"), beside(quick, [*OPTUNA, "max_steps=40"])
    process = start([*words, "hydra.sweeper.n_trials=2"], tmp_path)
    wait_for(lambda: list(sweep.path.glob("*/metrics.jsonl")))
    process.kill()  # in the middle of the first trial
    process.communicate()
    [half_way] = [RunDir(file.parent) for file in sweep.path.glob("*/metrics.jsonl")]
    assert half_way.read_result() is None
    status, shown = finish([*words, "hydra.sweeper.n_trials=2", "resume=auto"], tmp_path)
    assert (status, len(rows(sweep, "lr"))) == (0, 2), shown
    assert half_way.read_manifest()["status"] == "completed"
    status, shown = finish([*words, "hydra.sweeper.n_trials=3", "resume=auto"], tmp_path)
    assert (status, len(rows(sweep, "lr"))) == (0, 3), shown
    best = min(float(loss) for (loss,) in rows(sweep, "eval_loss"))
    assert f"Best value: {best}" in shown
    status, shown = finish([*words, "seed=5", "resume=auto"], tmp_path)
    assert (status, "holds another sweep" in shown) == (2, True)


@pytest.mark.slow
@pytest.mark.needs("joblib", "submitit")
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_of_hydras_run_the_jobs(launcher: str, quick: list[str], tmp_path: Path) -> None:
    status, shown = finish([*quick, f"hydra/launcher={launcher}", "lr=1e-3,3"], tmp_path)
    assert (status, rows(SweepDir(tmp_path / "swept"), "status")) == (1, [("completed",), ("failed",)]), shown
    assert "Traceback" not in shown.replace("  Traceback", "")


@pytest.mark.slow
@pytest.mark.needs("joblib")
def test_the_processes_of_joblib_do_not_outlive_the_sweep(quick: list[str], tmp_path: Path) -> None:
    words = beside(quick, ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "max_steps=2000", "seed=1,2"])
    process = start(words, tmp_path, {MARK: str(tmp_path)})
    wait_for(lambda: len(list(tmp_path.glob("swept/*/metrics.jsonl"))) == 2)
    process.kill()
    try:
        wait_for(lambda: process.poll() is not None and not marked(str(tmp_path)))
    finally:
        kill_marked(str(tmp_path))
    process.communicate()
    assert not any(state(run).goes_on for run in runs_in(tmp_path))


def test_a_plugin_that_is_not_there_is_refused_in_one_line(quick: list[str], tmp_path: Path) -> None:
    status, shown = finish([*quick, "hydra/launcher=nowhere", "lr=1e-3,3"], tmp_path)
    assert (status, len(shown.splitlines())) == (2, 1), shown
    assert shown.startswith("hydra/launcher=nowhere: no such option")
    status, shown = finish([*quick, "hydra/launcher=joblib", "jobs=2", "lr=1e-3,3"], tmp_path)
    assert shown == "jobs=2: hydra/launcher=joblib decides how many run at a time; use its own setting\n"
