"""`status`, `cancel` and `logs` of runs on this machine, from their directories alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.test_docs import ROOT, fences
from training_hub import cli
from training_hub.command_line import flags
from training_hub.errors import ConfigError
from training_hub.machine.processes import MARK
from training_hub.results.state import State, state
from training_hub.run import RunDir, TrainResult
from training_hub.verbs.cancel.stop import cancel
from training_hub.verbs.logs.tail import logs
from training_hub.verbs.status.states import status

MANIFEST = {
    "status": "running", "created": "2026-01-02T12:00:00", "algorithm": "sft", "backend": "trl", "total_steps": 9,
    "machine": {"host": socket.gethostname()},
}  # fmt: skip
Make = Callable[..., RunDir]


@pytest.fixture
def make(here: Path) -> Make:
    """A run as its front leaves it in its folder."""

    def run(name: str, **entries: object) -> RunDir:
        made = RunDir(here / name)
        made.path.mkdir(parents=True)
        made.create({}, [], {**MANIFEST, **entries})
        made.lock.touch()
        return made

    return run


@pytest.fixture
def alive(make: Make) -> Iterator[RunDir]:
    """A run whose worker lives; the process that launched it has gone."""
    run = make("outputs/sft/alive")
    program = "import fcntl, sys, time; file = open(sys.argv[1], 'a'); fcntl.flock(file, 2); print(flush=True); "
    command = [sys.executable, "-c", f"{program} time.sleep(60)", run.lock]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, MARK: str(run.path)})
    assert process.stdout is not None
    process.stdout.readline()
    yield run
    process.kill()
    process.communicate()


def test_a_run_whose_process_lives_is_running(alive: RunDir) -> None:
    assert state(alive) == State("running")
    alive.request_stop()
    assert state(alive) == State("stopping")


def test_a_run_whose_process_died_without_a_word_is_lost(make: Make) -> None:
    assert state(make("run")) == State("lost", "its process ended without a word")


def test_a_run_of_another_machine_is_not_judged(make: Make) -> None:
    run = make("run", machine={"host": "elsewhere"})
    assert state(run) == State("unknown", "it was started on elsewhere; ask there")


@pytest.mark.parametrize("word", ["completed", "failed", "interrupted"])
def test_a_result_has_the_last_word(make: Make, word: str) -> None:
    run = make("run")
    run.write_result(TrainResult(word, str(run.path), error="lr=9: too much\nwhole log"))
    assert state(run) == State(word, "lr=9: too much")


def test_status_shows_the_runs_below_a_folder(alive: RunDir, make: Make) -> None:
    dead = make("outputs/sft/dead", created="2026-01-02T13:00:00")
    alive.append_metrics(step=3, loss=1.25)
    alive.append_metrics(step=3, eval_loss=1.5)
    lines = [line.split(maxsplit=4) for line in status([]).splitlines()]
    assert lines == [
        ["run", "status", "step", "loss", "reason"],
        ["outputs/sft/alive", "running", "3/9", "1.2500"],
        ["outputs/sft/dead", "lost", "-", "-", "its process ended without a word"],
    ]
    assert status([str(dead.path)]).splitlines()[1] == "status  lost: its process ended without a word"


def test_the_guide_shows_the_status_of_a_job(make: Make, here: Path) -> None:
    run = make("outputs/mine", created="2026-11-23T16:56:37+0000", total_steps=6)
    run.write_job("3", "training_hub.launchers.slurm.launcher.SlurmLauncher")
    run.append_metrics(step=6, loss=5.8319, lr=6.7e-7, grad_norm=4.32, tokens_per_second=884)
    run.write_result(TrainResult("completed", str(run.path)))
    shown = status(["outputs/mine"]).replace(str(here), "/home/me")
    assert f"{shown}\n" in fences(ROOT / "docs" / "guides" / "slurm.md", "text")


def test_a_folder_without_runs(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"^model: no run is there; status takes the folder of a run or of a sweep$"):
        status(["model"])
    with pytest.raises(ConfigError, match=r"^outputs: no run is there"):
        status([])


def test_cancel_asks_the_run_to_save(alive: RunDir) -> None:
    assert cancel(["outputs/sft"], now=False) == ["outputs/sft/alive: asked to save and stop after this step"]
    assert alive.stop_requested()


def test_cancel_now_ends_it(alive: RunDir) -> None:
    assert cancel(["outputs/sft/alive"], now=True) == ["outputs/sft/alive: ended at once"]
    assert state(alive).word == "lost"


def test_cancel_now_finds_the_workers_of_a_linked_folder(alive: RunDir, here: Path) -> None:
    (here / "link").symlink_to(alive.path)
    assert cancel(["link"], now=True) == ["link: ended at once"]


def test_there_must_be_something_to_cancel(make: Make) -> None:
    make("run")
    with pytest.raises(ConfigError, match=r"^run: nothing to cancel: it is lost$"):
        cancel(["run"], now=False)
    with pytest.raises(ConfigError, match=r"^cancel: needs the folder of a run or a sweep; write cancel DIR"):
        cli.dispatch(["cancel"])


def test_logs_show_the_end_and_follow_to_it(alive: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    alive.log.write_text("one\ntwo\nthree\n")
    logs([], 2, follow=False)
    assert capsys.readouterr().out == "two\nthree\n"
    code = (
        "import sys, time; from training_hub.run import RunDir, TrainResult; run = RunDir(sys.argv[1]); time.sleep(1)\n"
        "run.log.open('a').write('four\\n'); run.write_result(TrainResult('completed', 'x'))"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, alive.path])
    logs(["outputs/sft/alive"], 1, follow=True)
    assert writer.wait() == 0
    assert capsys.readouterr().out == "three\nfour\noutputs/sft/alive: completed\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["status", "--now"], "--now: status has no such flag; see --help"),
        (["cancel", "--noww", "x"], "--noww: cancel has no such flag; did you mean --now?"),
        (["logs", "-n", "few"], "-n=few: must be a number of lines, 0 or more"),
        (["cancel", "--now=no", "x"], "--now=no: this flag has no value; write --now"),
        (["logs", "-n", "1", "--lines", "2"], "--lines: this flag is given twice; keep one of the two"),
        (["logs", "-n"], "-n=: must be a number of lines, 0 or more"),
    ],
)
def test_flags_that_are_none(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert capsys.readouterr().err == f"{expected}\n"


def test_flags_stand_anywhere() -> None:
    for typed in (["logs", "--follow", "a", "-n", "5", "b"], ["-f", "-n=5", "logs", "a", "b"]):
        line = flags.split(typed)
        assert (line.verb, line.words, line.own) == ("logs", ["a", "b"], {"-f": "", "-n": "5"})
