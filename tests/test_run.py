"""The run directory: what is written comes back, and a reader never meets half a file."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training_hub.errors import ConfigError
from training_hub.metrics import CORE
from training_hub.run import RunDir, TrainResult, write_atomically

# Characters that end a line for str.splitlines but not for JSON, and some that are not ASCII.
AWKWARD = "one\u2028two\u2029three\x85four\x1cfive\nsix\r\nseven ünï 🐈"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that has just begun."""
    directory = RunDir(tmp_path / "run")
    directory.create({"lr": 1e-5}, ["lr=1e-5"], {"status": "created"})
    return directory


def test_a_folder_without_a_manifest_holds_no_run(tmp_path: Path) -> None:
    assert not RunDir(tmp_path).exists()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"name": "an app"}', '{"status": "fine"}', '{"status": []}', "\\0"]
)
def test_a_manifest_of_another_programs_is_no_run(content: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(content)
    (tmp_path / "overrides.yaml").write_text("[]")
    (tmp_path / "checkpoints" / "precious").mkdir(parents=True)
    run = RunDir(tmp_path)
    assert not run.exists()
    run.create({}, [], {"status": "created"})
    assert (tmp_path / "checkpoints" / "precious").exists()


def test_a_folder_with_anything_in_it_is_not_free(tmp_path: Path) -> None:
    assert RunDir(tmp_path / "new").is_free()
    assert RunDir(tmp_path).is_free()
    (tmp_path / "file").touch()
    assert not RunDir(tmp_path).is_free()
    assert not RunDir(tmp_path / "file").is_free()


def test_a_run_begins_with_config_overrides_manifest_and_a_place_for_checkpoints(run: RunDir) -> None:
    assert run.exists()
    assert run.read_config() == {"lr": 1e-5}
    assert run.overrides.read_text() == "- lr=1e-5\n"
    assert run.read_manifest() == {"status": "created"}
    assert run.checkpoints.is_dir()


def test_the_config_comes_back_as_it_was(tmp_path: Path) -> None:
    config = {"text": AWKWARD, "number": 1e-8, "none": None, "list": [1, "1", True, {"a": []}], "no": "no", "z": 0}
    run = RunDir(tmp_path)
    run.create(config, [], {})
    assert run.read_config() == config
    assert list(run.read_config()) == list(config), "the order is the user's"


def test_replacing_a_file_leaves_nothing_else_behind(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write_atomically(tmp_path / "file", text)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "new"


def test_a_reader_that_has_opened_the_old_file_goes_on_reading_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "old")
    with (tmp_path / "file").open() as opened:
        write_atomically(tmp_path / "file", "new, and longer")
        assert opened.read() == "old"


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "new \ud800")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_everybody_may_read_what_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "text")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_the_manifest_is_added_to(run: RunDir) -> None:
    run.update_manifest(total_steps=7)
    run.update_manifest(status="running")
    assert run.read_manifest() == {"status": "running", "total_steps": 7}


def test_a_row_of_metrics_has_every_key(run: RunDir) -> None:
    run.append_metrics(step=1, loss=2.5)
    [row] = run.read_metrics()
    assert list(row) == list(CORE)
    assert {key: value for key, value in row.items() if value is not None} == {"step": 1, "loss": 2.5}


def test_a_further_metric_stands_in_the_rows_that_have_it(run: RunDir) -> None:
    run.append_metrics(step=1, loss=2.5)
    run.append_metrics(step=2, loss=2.0, **{"my/score": 0.5})
    run.append_metrics(step=3, loss=1.5)
    assert [row.get("my/score") for row in run.read_metrics()] == [None, 0.5, None]
    assert list(run.read_metrics()[1]) == [*CORE, "my/score"]


@pytest.mark.parametrize(("name", "value"), [("my score", 1.0), ("my/score", math.nan), ("Loss", 1.0), ("a" * 101, 1)])
def test_a_bad_metric_is_an_error_and_writes_nothing(run: RunDir, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}={value}"):
        run.append_metrics(**{"step": 1, name: value})
    assert run.read_metrics() == []


@pytest.mark.parametrize("further", ['"my/score": "high"', '"my score": 1', '"my/score": [1]', '"\\u001b[2J": 1'])
def test_a_foreign_row_of_metrics_is_left_out_and_told_in_one_line(run: RunDir, further: str) -> None:
    run.append_metrics(step=1, **{"my/score": 0.5})
    with run.metrics.open("a") as file:
        file.write(f'{{"step": 2, {further}}}\n')
    assert [row["step"] for row in run.read_metrics()] == [1]
    assert run.left_out() == [f"{run.metrics}: line 2 cannot be read and is left out"]


def test_a_torn_last_line_of_metrics_is_left_out(run: RunDir) -> None:
    run.append_metrics(step=1)
    run.append_metrics(step=2)
    whole = run.metrics.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for torn in range(1, last + 1):
        run.metrics.write_bytes(whole[:-torn])
        assert [row["step"] for row in run.read_metrics()] == [1]


def test_a_run_without_metrics_and_samples_has_none(run: RunDir) -> None:
    assert run.read_metrics() == []
    assert run.read_samples() == []


def test_an_answer_comes_back_whatever_it_holds(run: RunDir) -> None:
    run.append_sample("before", "Prompt?", AWKWARD)
    run.append_sample("after", AWKWARD, "")
    assert run.read_samples() == [
        {"when": "before", "prompt": "Prompt?", "answer": AWKWARD},
        {"when": "after", "prompt": AWKWARD, "answer": ""},
    ]


def test_a_torn_last_answer_is_left_out(run: RunDir) -> None:
    run.append_sample("before", "Prompt?", "whole")
    with run.samples.open("a") as file:
        file.write('{"when": "after", "pro')
    assert [sample["answer"] for sample in run.read_samples()] == ["whole"]


def test_files_are_utf8_whatever_the_locale(tmp_path: Path) -> None:
    code = """if True:
        from training_hub.run import RunDir
        run = RunDir("run")
        run.create({"text": "\\xfcn\\xef"}, ["text=\\xfcn\\xef"], {})
        run.append_sample("before", "\\xfcn\\xef", "\\U0001f408")
        assert run.read_config() == {"text": "\\xfcn\\xef"}
        assert run.read_samples()[0]["answer"] == "\\U0001f408"
    """
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **bare}, check=True)
    for name in ("config.yaml", "overrides.yaml", "samples.jsonl"):
        assert "ünï".encode() in (tmp_path / "run" / name).read_bytes()


def test_a_users_own_checkpoints_stay_where_no_run_was(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "precious").mkdir(parents=True)
    RunDir(tmp_path).create({}, [], {})
    assert (tmp_path / "checkpoints" / "precious").exists()


@pytest.mark.parametrize("text", ["", '{"status": "comp', "[1]", "\0"])
def test_a_torn_file_is_named_in_one_line(run: RunDir, text: str) -> None:
    readers = {run.result: run.read_result, run.job: run.read_job, run.config: run.read_config}
    for file, read in readers.items():
        file.write_text(text)
        with pytest.raises(ConfigError, match=rf"^{file}: damaged, it .*; restore it, or remove it$"):
            read()


def test_a_run_has_no_result_before_its_end(run: RunDir) -> None:
    assert run.read_result() is None


@pytest.mark.parametrize(
    "result",
    [
        TrainResult("completed", "run", "run/checkpoints/final", {"final_loss": 0.1, "steps": 3}, 1.5),
        TrainResult("failed", "run", error="ValueError: ünï"),
        TrainResult("interrupted", "run"),
    ],
    ids=lambda result: result.status,
)
def test_a_result_comes_back_as_it_was(run: RunDir, result: TrainResult) -> None:
    run.write_result(result)
    assert run.read_result() == result


def test_a_run_that_is_started_anew_keeps_nothing_of_the_old_one(run: RunDir) -> None:
    run.update_manifest(total_steps=99, ended="yesterday")
    run.append_metrics(step=99)
    run.append_sample("after", "Prompt?", "old")
    run.write_result(TrainResult("completed", str(run.path)))
    run.log.write_text("old")
    run.loss_plot.write_bytes(b"old")
    run.request_stop()
    (run.checkpoints / "checkpoint-99").mkdir()
    run.create({"lr": 1.0}, [], {"status": "created"})
    assert sorted(file.name for file in run.path.rglob("*")) == [
        ".seal", "checkpoints", "config.yaml", "manifest.json", "overrides.yaml",
    ]  # fmt: skip
    assert run.read_manifest() == {"status": "created"}
    assert not run.stop_requested()


# Dies at the file of that number which it renames or removes, as by SIGKILL.
DYING_START = """
import os, sys
from training_hub.run import RunDir
run, left = RunDir(sys.argv[1]), int(sys.argv[2])
def die(event, _):
    global left
    if event in ("os.rename", "os.remove", "shutil.rmtree", "tempfile.mkstemp"):
        left -= 1
        if left < 0:
            os._exit(9)
with run.held():
    sys.addaudithook(die)
    run.create({}, [], {"status": "created"})
"""


@pytest.mark.parametrize("completed", [False, True])
def test_a_start_that_dies_at_any_file_can_be_tried_again(tmp_path: Path, completed: bool) -> None:
    for number in range(20):
        run = RunDir(tmp_path / str(number))
        if completed:
            run.create({}, [], {"status": "completed"})
            (run.checkpoints / "checkpoint-9").mkdir()
            run.write_result(TrainResult("completed", str(run.path)))
        died = subprocess.run([sys.executable, "-c", DYING_START, run.path, str(number)], check=False).returncode
        if not died:
            break
        assert run.exists() or run.is_free()
        assert run.read_result() is None or (run.checkpoints / "checkpoint-9").exists()
    assert 4 < number < 20


def test_what_is_not_the_runs_own_stays(run: RunDir) -> None:
    (run.path / "notes.txt").write_text("mine")
    run.create({}, [], {})
    assert (run.path / "notes.txt").read_text() == "mine"


def test_a_stop_is_asked_for_by_a_file(run: RunDir) -> None:
    assert not run.stop_requested()
    run.request_stop()
    assert run.stop_requested()


def test_the_tail_of_a_log_is_its_last_lines(run: RunDir) -> None:
    assert run.log_tail() == ""
    run.log.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert run.log_tail(2) == "line 998\nline 999"


def test_the_tail_of_a_log_survives_bytes_that_are_no_text(run: RunDir) -> None:
    run.log.write_bytes(b"first\nla\xffst\n")
    assert run.log_tail(1) == "la\ufffdst"


def test_every_file_of_a_run_is_readable_by_other_programs(run: RunDir) -> None:
    run.append_metrics(step=1, loss=1.0)
    run.write_result(TrainResult("completed", str(run.path)))
    for file in (run.manifest, run.result, run.metrics):
        json.loads(file.read_text())
