"""A sweep's directory, its table, and how it is found again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.test_docs import ROOT, fences
from training_hub.errors import ConfigError
from training_hub.ranking import objective, ranked
from training_hub.run import RunDir, TrainResult
from training_hub.sweep_dir import Job, SweepDir, outcome
from training_hub.sweeps.board import Board
from training_hub.sweeps.find import find
from training_hub.sweeps.table import table


def job(number: int) -> Job:
    return Job(f"{number:064}", f"seed={number}-{number:08}", ("model_path=m", f"seed={number}"), {"seed": str(number)})


def begun(path: Path, *numbers: int) -> SweepDir:
    directory = SweepDir(path)
    path.mkdir(parents=True)
    directory.write([job(number) for number in numbers], status="running")
    return directory


def row(**values: Any) -> dict[str, Any]:
    given = {"swept": {}, "status": "completed", "final_loss": None, "eval_loss": None, "seconds": None, "path": "x"}
    return given | {"error": None} | values


def test_a_sweep_reads_back_its_jobs(tmp_path: Path) -> None:
    directory = begun(tmp_path / "sweep", 1, 2)
    assert directory.exists()
    assert directory.jobs() == [job(1), job(2)]
    directory.update(status="completed")
    assert directory.read()["status"] == "completed"
    assert directory.jobs() == [job(1), job(2)]


@pytest.mark.parametrize("text", [None, "", "[]", '{"x": 1}', "3", "\xff"])
def test_another_file_of_that_name_is_no_sweep(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "sweep.json").write_bytes(text.encode("latin-1"))
    assert not SweepDir(tmp_path).exists()


def test_what_came_of_a_run_is_read_from_its_folder(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert outcome(run)["status"] == "pending"
    run.create({}, [], {"status": "created"})
    assert outcome(run)["status"] == "created"
    run.update_manifest(status="completed")  # a worker does so before its loggers have had their say
    assert outcome(run)["status"] == "running"
    run.write_result(TrainResult("completed", str(run.path), None, {"final_loss": 2.0, "eval_loss_after": 3.0}, 1.26))
    found = outcome(run)
    assert (found["status"], found["final_loss"], found["eval_loss"], found["seconds"]) == ("completed", 2.0, 3.0, 1.3)


def test_held_out_loss_is_the_objective_where_there_is_one() -> None:
    assert objective(row(final_loss=1.0, eval_loss=2.0)) == 2.0
    assert objective(row(final_loss=1.0)) == 1.0
    assert objective(row(final_loss=1.0, status="failed")) is None


def test_the_best_comes_first_and_what_has_no_loss_last() -> None:
    rows = [row(final_loss=2.0), row(status="failed"), row(final_loss=float("nan")), row(final_loss=1.0)]
    assert [each["final_loss"] for each in ranked(rows)[:2]] == [1.0, 2.0]


def test_the_table_shows_what_differs_and_what_came_of_it() -> None:
    text = table([row(swept={"lr": "1e-5"}, final_loss=1.5, seconds=75.0), row(swept={"lr": "[a]"}, status="failed")])
    assert [line.split() for line in text.splitlines() if "─" not in line] == [
        ["lr", "status", "final", "loss", "eval", "loss", "time", "path"],
        ["1", "1e-5", "completed", "1.5000", "1:15", "x"],
        ["[a]", "failed", "x"],
    ]


def test_a_long_table_is_cut() -> None:
    assert table([row(final_loss=float(number)) for number in range(40)]).endswith("... and 10 more")


def test_a_sweep_is_found_by_its_jobs(tmp_path: Path) -> None:
    other, mine = begun(tmp_path / "a", 7, 8), begun(tmp_path / "b", 1, 2)
    os.utime(mine.description, (0, 0))
    found = find([job(1), job(2)], None, tmp_path / "new")
    assert found is not None
    assert found.path == mine.path
    assert find([job(1)], None, tmp_path / "new") is None
    assert other.exists()


def test_a_sweep_may_gain_jobs(tmp_path: Path) -> None:
    begun(tmp_path / "sweep", 1, 2)
    assert find([job(1), job(2), job(3)], str(tmp_path / "sweep"), tmp_path) is not None


def test_the_directory_of_another_sweep_is_refused(tmp_path: Path) -> None:
    begun(tmp_path / "sweep", 1, 2, 3)
    with pytest.raises(ConfigError, match=r"sweep: holds another sweep: 2 of its 3 runs are not among these; choose"):
        find([job(1), job(9)], str(tmp_path / "sweep"), tmp_path)


def test_results_are_a_table_for_other_programs(tmp_path: Path) -> None:
    directory = SweepDir(tmp_path)
    directory.write_results([row(swept={"lr": "a,b"}, error='line 1\nline "2"'), row(swept={"seed": "1"})])
    lines = directory.results.read_text().splitlines()
    assert lines[0] == "lr,seed,status,final_loss,eval_loss,seconds,error,path"
    assert lines[1].startswith('"a,b",,completed,')
    assert json.loads(json.dumps(lines[-1])).startswith(",1,completed")


def test_the_guide_shows_what_a_sweep_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = SweepDir(tmp_path / "swept")
    names = ("lr=0.001-272ad210", "lr=1e+38-225d7029")
    good, bad = (Job(name, name, (), {"lr": name[3:].rpartition("-")[0]}) for name in names)
    for job in (good, bad):
        directory.run_of(job).path.mkdir(parents=True)
    board = Board(directory, [good, bad])
    metrics = {"final_loss": 5.5043, "eval_loss_after": 5.4770}
    directory.run_of(good).write_result(TrainResult("completed", "", metrics=metrics, duration_s=75))
    error = "loss=nan: not a number at step 2; lower lr or max_grad_norm"
    directory.run_of(bad).write_result(TrainResult("failed", "", duration_s=74, error=error))
    board.ended(good, None)
    board.ended(bad, None)
    shown = f"sweep {directory.path}: 2 runs\n{capsys.readouterr().out}{board.text()}\n"
    assert shown.replace(str(tmp_path), "...") == fences(ROOT / "docs" / "guides" / "sweeps.md", "text")[0]
