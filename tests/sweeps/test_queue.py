"""The queue on this machine: how many at a time, on which GPUs, and how it ends."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweeps.conftest import Sweep, ends
from training_hub.machine.hardware import Gpu, visible_names
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.board import Board
from training_hub.sweeps.queue import Queue

Made = Callable[..., Sweep]


@pytest.fixture
def made(words: list[str], tmp_path: Path) -> Made:
    def make(*overrides: str, script: Callable[[Job], str]) -> Sweep:
        return Sweep(SweepDir(tmp_path / "sweep"), [*words, *overrides], script)

    return make


def run(sweep: Sweep, at_a_time: int | None = None) -> tuple[int, list[dict[str, str]]]:
    """Exit status, and the rows of results.csv."""
    sweep.directory.path.mkdir(exist_ok=True)
    board = Board(sweep.directory, sweep.jobs)
    status = Queue(sweep.jobs, at_a_time, sweep.plan, board).run()
    board.write()
    with sweep.directory.results.open() as file:
        return status, list(csv.DictReader(file))


def test_every_job_runs_and_stands_in_the_table(made: Made) -> None:
    status, rows = run(made("lr=1e-5,2e-5", "seed=1,2", script=lambda job: ends(float(job.swept["lr"]))))
    assert status == 0
    assert [(row["lr"], row["seed"], row["status"]) for row in rows] == [
        (lr, seed, "completed") for lr in ("1e-05", "2e-05") for seed in ("1", "2")
    ]  # fmt: skip
    assert {row["final_loss"] for row in rows} == {"1e-05", "2e-05"}
    assert all(Path(row["path"], "config.yaml").exists() for row in rows)


def test_one_failure_stops_nothing(made: Made) -> None:
    scripts = {"1": "exit 3", "2": ends(), "3": ends(status="failed"), "4": ends()}
    status, rows = run(made("seed=1,2,3,4", script=lambda job: scripts[job.swept["seed"]]))
    assert status == 1
    assert [row["status"] for row in rows] == ["failed", "completed", "failed", "completed"]
    assert "exit status 3" in rows[0]["error"]


def test_a_job_that_can_no_longer_start_stops_nothing(made: Made, tmp_path: Path) -> None:
    sweep = made("seed=1,2", script=lambda job: f"rm {tmp_path}/rows.jsonl; {ends()}")
    status, rows = run(sweep)
    assert status == 2
    assert [row["status"] for row in rows] == ["completed", "failed"]
    assert "data_path" in rows[1]["error"]


def test_a_table_that_cannot_be_written_stops_nothing_and_is_written_later(made: Made) -> None:
    sweep = made("seed=1,2,3", script=lambda job: f"sleep 1; echo '{{}} torn' > $1/metrics.jsonl; {ends()}")
    sweep.directory.results.mkdir(parents=True)
    board = Board(sweep.directory, sweep.jobs)
    assert Queue(sweep.jobs, None, sweep.plan, board).run() == 0
    sweep.directory.results.rmdir()
    board.write()
    assert sweep.directory.results.read_text().count("completed") == 3


def together(count: int) -> Callable[[Job], str]:
    """A script that waits until so many have begun, at most 30 seconds, and writes how many ran when it began: its own
    devices, too.
    """
    return lambda job: (
        "cd $1; touch began; echo $(($(ls ../*/began | wc -l) - $(ls ../*/ended 2>/dev/null | wc -l))) > running; "
        "echo $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS > env; "
        f"timeout 30 sh -c 'until [ $(ls ../*/began | wc -l) -ge {count} ]; do sleep 0.05; done' || exit 1; "
        f"sleep 0.5; touch ended; {ends()}"
    )


def most(sweep: Sweep, at_a_time: int | None) -> int:
    """Most scripts that ran at once."""
    status, _ = run(sweep, at_a_time)
    assert status == 0
    return max(int((sweep.directory.run_of(job).path / "running").read_text()) for job in sweep.jobs)


def test_without_gpus_one_runs_at_a_time(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_hub.machine.hardware.gpus", list)
    assert most(made("seed=1,2,3", script=together(1)), None) == 1


def test_as_many_as_asked_for_run_at_a_time(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_hub.machine.hardware.gpus", list)
    assert most(made("seed=1,2,3,4,5", script=together(3)), 3) == 3


def environments(sweep: Sweep) -> list[list[str]]:
    return [(sweep.directory.run_of(job).path / "env").read_text().split() for job in sweep.jobs]


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_hub.machine.hardware.gpus", lambda: [Gpu("H100", 80.0)] * 4)
    monkeypatch.setattr("training_hub.machine.hardware.cores", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("four_gpus")
def test_each_job_has_a_gpu_of_its_own_and_its_share_of_the_cores(made: Made) -> None:
    sweep = made("seed=1,2,3,4,5", script=together(4))
    assert most(sweep, None) == 4
    found = environments(sweep)
    assert sorted(devices for devices, _ in found[:4]) == ["0", "1", "2", "3"]
    assert {threads for _, threads in found} == {"4"}


@pytest.mark.usefixtures("four_gpus")
def test_a_job_of_several_processes_has_as_many_gpus(made: Made) -> None:
    sweep = made("seed=1,2,3", "nproc_per_node=2", "effective_batch_size=8", script=together(2))
    assert most(sweep, None) == 2
    assert sorted(devices for devices, _ in environments(sweep)[:2]) == ["0,1", "2,3"]


@pytest.mark.parametrize(
    ("text", "names"),
    [("", []), ("-1", []), ("1, 0", ["1", "0"]), ("0,-1,1", ["0"]), ("GPU-8f,MIG-2", ["GPU-8f", "MIG-2"])],
)
def test_gpus_are_named_as_cuda_reads_the_names(text: str, names: list[str]) -> None:
    assert visible_names(text) == names


@pytest.mark.usefixtures("four_gpus")
def test_gpus_are_lent_by_the_names_that_they_have_here(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,5,6")
    sweep = made("seed=1,2", script=together(2))
    run(sweep)
    assert [devices for devices, _ in environments(sweep)] == ["GPU-a", "GPU-b"]


def interrupt(times: int, when: Callable[[], bool]) -> None:
    """Send this process Ctrl-C once something has happened."""

    def wait() -> None:
        while not when():
            time.sleep(0.02)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)

    threading.Thread(target=wait).start()


def test_ctrl_c_lets_what_runs_save_and_starts_no_more(made: Made) -> None:
    sweep = made("seed=1,2,3", script=lambda job: f"touch $1/began; until [ -e $1/stop ]; do sleep 0.05; done; "
                                                  f"{ends(status='interrupted')}")  # fmt: skip
    runs = [sweep.directory.run_of(job).path for job in sweep.jobs]
    interrupt(1, lambda: all((path / "began").exists() for path in runs[:2]))
    status, rows = run(sweep, 2)
    assert status == 75
    assert [row["status"] for row in rows] == ["interrupted", "interrupted", "pending"]


def test_two_ctrl_c_end_everything_at_once(made: Made) -> None:
    sweep = made("seed=1,2", script=lambda job: "touch $1/began; sleep 54.321")
    runs = [sweep.directory.run_of(job).path for job in sweep.jobs]
    interrupt(2, lambda: all((path / "began").exists() for path in runs))
    status, rows = run(sweep, 2)
    assert status == 130
    assert [row["status"] for row in rows] == ["interrupted", "interrupted"]
    assert subprocess.run(["pgrep", "-f", "sleep 54.321"], check=False, capture_output=True).returncode == 1


def test_ctrl_c_while_nothing_runs_any_more_changes_nothing(made: Made) -> None:
    before = signal.getsignal(signal.SIGINT)
    run(made("seed=1", script=lambda job: ends()))
    assert signal.getsignal(signal.SIGINT) is before
