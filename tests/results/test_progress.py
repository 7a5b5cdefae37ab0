"""What a run shows of itself: numbers, time left, lines, and the bar on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from training_hub.metrics import CORE
from training_hub.results.progress import Progress, describe, duration, fitting, seconds_left
from training_hub.run import RunDir


def row(**values: float) -> dict[str, Any]:
    """A row of metrics, null where nothing is given."""
    return dict.fromkeys(CORE) | values


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of ten steps that has not trained yet."""
    directory = RunDir(tmp_path / "run")
    directory.create({}, [], {"total_steps": 10})
    return directory


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-:--"), (0, "0:00"), (0.4, "0:00"), (59.6, "1:00"), (75.2, "1:15"), (3599.4, "59:59"),
        (3599.6, "1:00:00"), (36_000, "10:00:00"), (90_061, "25:01:01"),
    ],
)  # fmt: skip
def test_a_duration_reads_as_a_clock_would(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_the_time_left_follows_the_pace_after_the_first_row() -> None:
    rows = [row(step=1, seconds=30.0), row(step=2, seconds=32.0), row(step=5, seconds=38.0)]
    assert seconds_left(rows, 10) == 10.0


def test_nothing_is_left_after_the_last_step_or_beyond() -> None:
    rows = [row(step=1, seconds=1.0), row(step=4, seconds=4.0)]
    assert [seconds_left(rows, total) for total in (4, 3)] == [0.0, 0.0]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(step=1, seconds=1.0)],
        [row(step=1, seconds=1.0), row(step=2)],
        [row(step=1, seconds=1.0)] * 2,
        [row(step=1), row(step=2, seconds=1.0)],
    ],
    ids=["no row", "one row", "no clock", "no step done", "no clock at first"],
)
def test_the_time_left_is_unknown_at_first(rows: list[dict[str, Any]]) -> None:
    assert seconds_left(rows, 10) is None


def test_the_time_left_of_a_run_of_unknown_length_is_unknown() -> None:
    assert seconds_left([row(step=1, seconds=1.0), row(step=2, seconds=2.0)], 0) is None


def test_only_known_numbers_are_described() -> None:
    assert describe(row()) == ""
    assert describe(row(loss=2.34567, tokens_per_second=1234.5)) == "loss 2.3457  1,234 tokens/s"
    everything = row(loss=2.0, eval_loss=2.5, lr=1e-5, grad_norm=0.123, tokens_per_second=10.0)
    assert describe(everything) == "loss 2.0000  eval loss 2.5000  lr 1.00e-05  grad norm 0.12  10 tokens/s"


def test_further_metrics_come_last_and_few() -> None:
    further = {f"rewards/{name}": 0.123456 for name in "abcdef"}
    assert describe(row(loss=2.0, **further)) == (
        "loss 2.0000  rewards/a 0.1235  rewards/b 0.1235  rewards/c 0.1235  rewards/d 0.1235"
    )
    assert fitting(row(loss=2.0, lr=1e-5, **further), 40) == "loss 2.0000  lr 1.00e-05"


def test_a_further_metric_shows_beside_the_last_trained_row(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(run) as progress:
        run.append_metrics(step=9, loss=2.0, seconds=1.0)
        run.append_metrics(step=9, **{"my/score": 0.25})
        progress.tick()
        run.append_metrics(step=10, loss=2.0, seconds=2.0)
        progress.tick()
    assert capsys.readouterr().out.splitlines() == [
        "step 9/10  loss 2.0000  my/score 0.25  -:-- left",
        "step 10/10  loss 2.0000  0:00 left",
    ]


def test_zero_is_a_number() -> None:
    assert describe(row(loss=0.0, lr=0.0)) == "loss 0.0000  lr 0.00e+00"


def test_lines_show_the_first_step_the_last_and_few_between(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(run) as progress:
        for step in range(1, 11):
            run.append_metrics(step=step, loss=3.0 - step / 10, seconds=float(step))
            progress.tick()
            progress.tick()
    assert capsys.readouterr().out.splitlines() == [
        "step 1/10  loss 2.9000  -:-- left",
        "step 10/10  loss 2.0000  0:00 left",
    ]


def test_nothing_new_shows_nothing(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(run) as progress:
        progress.tick()
    assert capsys.readouterr().out == ""


def test_a_torn_first_line_shows_nothing_yet(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(run) as progress:
        run.metrics.write_text('{"step": 1, "lo')
        progress.tick()
    assert capsys.readouterr().out == ""


def test_the_last_evaluation_stays_in_sight(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(run) as progress:
        run.append_metrics(step=0, eval_loss=3.5, seconds=0.0)
        run.append_metrics(step=10, loss=2.0, seconds=1.0)
        progress.tick()
    assert capsys.readouterr().out == "step 10/10  loss 2.0000  eval loss 3.5000  -:-- left\n"


def test_an_evaluation_before_the_first_step_shows(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(run) as progress:
        run.append_metrics(step=0, eval_loss=3.5)
        progress.tick()
    assert capsys.readouterr().out == "step 0/10  eval loss 3.5000  -:-- left\n"


def test_a_run_that_goes_on_shows_nothing_until_it_trains(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    run.append_metrics(step=4, loss=2.0)
    with Progress(run) as progress:
        progress.tick()
    assert capsys.readouterr().out == ""


def test_a_run_of_unknown_length_shows_its_steps(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    run.create({}, [], {})
    with Progress(run) as progress:
        run.append_metrics(step=3, loss=1.0)
        progress.tick()
    assert capsys.readouterr().out == "step 3  loss 1.0000  -:-- left\n"


def test_a_run_whose_output_nobody_reads_goes_on(run: RunDir) -> None:
    code = """if True:
        import sys
        from training_hub.results.progress import Progress
        from training_hub.run import RunDir, TrainResult
        from training_hub.results.summary import summarise
        run = RunDir(sys.argv[1])
        sys.stdin.read()
        with Progress(run) as progress:
            for step in (1, 10):
                run.append_metrics(step=step, loss=2.0)
                progress.tick()
        summarise(run, TrainResult("completed", str(run.path)))
        sys.exit(7)
    """
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout
    program.stdout.close()
    program.stdout = None
    assert (program.communicate()[1], program.returncode) == (b"", 7)


def test_a_narrow_terminal_keeps_what_is_worth_most() -> None:
    everything = row(loss=2.0, eval_loss=2.5, lr=1e-5, grad_norm=0.123, tokens_per_second=10.0)
    shown = {room: fitting(everything, room) for room in (80, 55, 45, 30, 5)}
    assert [len(text.split("  ")) for text in shown.values()] == [5, 4, 3, 2, 1]
    assert shown[30] == "loss 2.0000  eval loss 2.5000"
    assert shown[5] == "loss 2.0000"


def on_a_terminal(code: str, *arguments: str, columns: int = 120) -> str:
    """What a program prints on a pseudo-terminal."""
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    program = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=its, stderr=its, env=environment)
    os.close(its)
    shown = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not read:
            break
        shown += read
    os.close(ours)
    assert program.wait() == 0, shown.decode()
    return shown.decode()


def test_a_terminal_gets_a_bar(run: RunDir) -> None:
    code = """if True:
        import sys, time
        from training_hub.results.progress import Progress
        from training_hub.run import RunDir
        run = RunDir(sys.argv[1])
        with Progress(run) as progress:
            progress.tick()
            for step in (1, 5, 10):
                run.append_metrics(step=step, loss=2.0, lr=1e-5, tokens_per_second=1234.0, seconds=step * 2.0)
                progress.tick()
                time.sleep(0.15)
    """
    shown = on_a_terminal(code, str(run.path))
    assert "loading libraries and model" in shown
    assert [step for step in ("5/10", "10/10") if step not in shown] == []
    assert "loss 2.0000  lr 1.00e-05  1,234 tokens/s" in shown
    assert [left for left in ("0:10 left", "0:00 left") if left not in shown] == []
    assert "\x1b[" in shown, "it is redrawn in place"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor comes back"


def test_a_job_that_waits_is_said_to_wait(run: RunDir) -> None:
    code = """if True:
        import sys, time
        from training_hub.results.progress import Progress
        from training_hub.run import RunDir
        run = RunDir(sys.argv[1])
        with Progress(run) as progress:
            for step, status in enumerate(("pending", "running", "running", "pending")):
                run.update_manifest(status=status)
                if step == 2:
                    run.append_metrics(step=1, loss=2.0)
                progress.tick()
                time.sleep(0.15)
    """
    told = re.findall("waiting|starting|training", on_a_terminal(code, str(run.path)))
    changes = [word for word, before in pairwise([*told[::-1], ""]) if word != before][::-1]
    assert changes == ["starting", "waiting", "starting", "training", "waiting"]


def test_a_bar_on_80_columns_is_one_line(run: RunDir) -> None:
    code = """if True:
        import sys, time
        from training_hub.results.progress import Progress
        from training_hub.run import RunDir
        run = RunDir(sys.argv[1])
        with Progress(run) as progress:
            row = dict(loss=2.0, eval_loss=2.5, lr=1e-5, grad_norm=1.0, tokens_per_second=12345.0)
            for step in (1, 10):
                run.append_metrics(step=step, **row, seconds=step * 500.0)
                progress.tick()
                time.sleep(0.15)
    """
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", on_a_terminal(code, str(run.path), columns=80))
    last = shown.strip().split("\r")[-1]
    assert re.fullmatch(r"training \S+ 10/10 loss 2.0000  eval loss 2.5000 0:00:0\d 0:00 left", last), last


def test_what_is_to_be_said_about_the_data_is_said_once(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    part = {"path": "rows.jsonl", "fingerprint": "0" * 64, "rows_read": 4, "notes": {"something": 3}}
    with Progress(run) as progress:
        run.update_manifest(data={"path": "rows.jsonl", "sha256": "0" * 64})  # what is known before the rows are read
        progress.tick()
        run.update_manifest(data={"train": part, "eval": None})
        progress.tick()
        progress.tick()
    assert capsys.readouterr().out == "warning: data_path=rows.jsonl: 3 of 4 rows: something\n"
