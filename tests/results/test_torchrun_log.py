"""What is read from the end of torchrun's log. The log here is that of two processes, the second of which aborted."""

from __future__ import annotations

from pathlib import Path

import pytest

from training_hub.results.torchrun_log import blame_killed, killed, without_summary
from training_hub.run import RunDir, TrainResult

LOG = Path(__file__).with_name("torchrun_killed.txt").read_text()
RESET = "RuntimeError: Connection reset by peer"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path)
    run.log.write_text(LOG)
    run.manifest.write_text("{}")
    return run


def failed(run: RunDir, **changes: object) -> TrainResult:
    return TrainResult(**{"status": "failed", "run_dir": str(run.path), "error": RESET, "duration_s": 3.0} | changes)  # type: ignore[arg-type]


def test_the_process_that_a_signal_ended_is_named() -> None:
    assert killed(LOG) == "rank 1 was killed by SIGABRT"


def test_a_kill_has_a_likely_reason() -> None:
    log = LOG.replace("-6 (pid", "-9 (pid")
    assert killed(log) == "rank 1 was killed by SIGKILL; unless somebody did that, memory was short"


def test_a_process_that_failed_by_itself_was_not_killed_though_torchrun_ended_the_others() -> None:
    assert killed(LOG.replace("exitcode  : -6 (pid", "exitcode  : 1 (pid")) is None
    assert killed("") is None


def test_torchruns_own_traceback_is_left_out_and_nothing_else() -> None:
    lines = without_summary(LOG + "srun: error: node1\n").splitlines()
    assert [line.split()[0] for line in lines] == ["work.wait()", "RuntimeError:", "W1124", "E1124", "srun:"]
    assert without_summary("Traceback (most recent call last):\n  File\nValueError: 1\n") != ""


def test_the_result_names_it_in_place_of_what_the_others_noticed(run: RunDir) -> None:
    run.write_result(failed(run))
    blame_killed(run, 0)
    assert run.read_result() == failed(run, error="rank 1 was killed by SIGABRT")


def test_there_is_a_result_where_no_worker_wrote_one(run: RunDir) -> None:
    blame_killed(run, 0)
    assert run.read_result() == failed(run, error="rank 1 was killed by SIGABRT", duration_s=0.0)
    assert run.read_manifest()["status"] == "failed"


@pytest.mark.parametrize("status", ["completed", "interrupted"])
def test_a_run_that_had_ended_well_stays_so(run: RunDir, status: str) -> None:
    run.write_result(failed(run, status=status))
    blame_killed(run, 0)
    assert run.read_result() == failed(run, status=status)


def test_a_run_that_was_asked_to_stop_was_stopped(run: RunDir) -> None:
    run.request_stop()
    blame_killed(run, 0)
    assert run.read_result() is None


def test_what_killed_an_earlier_life_is_over(run: RunDir) -> None:
    run.write_result(failed(run))
    blame_killed(run, run.log_size())
    assert run.read_result() == failed(run)


def test_a_long_log_of_tracebacks_is_read_in_no_time() -> None:
    one = "Traceback (most recent call last):\n" + '  File "train.py", line 1\n    work.wait()\n' * 100
    log = f"{one}RuntimeError: reset\n" * 40
    assert (killed(log), without_summary(log)) == (None, log)
