"""Who answers for a job: the launcher that job.json names, if it is trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ClassVar

import pytest

from training_hub import cli, jobs
from training_hub.installed import trust
from training_hub.jobs import Job, NoScheduler, Scheduler, SchedulerError
from training_hub.results.state import State, state, states
from training_hub.run import RunDir, TrainResult
from training_hub.stored import Damaged

HERE = "tests.test_jobs.Desk"
Make = Callable[..., RunDir]


class Desk(Scheduler):
    """A scheduler with a few jobs; asked: each question."""

    name: ClassVar[str] = "the desk"
    job_id: ClassVar[str] = r"d\d+"
    known: ClassVar[dict[str, Job]] = {}
    asked: ClassVar[list[set[str]]] = []
    silent: ClassVar[str] = ""

    @classmethod
    def jobs(cls, ids: Collection[str]) -> dict[str, Job]:
        cls.asked.append(set(ids))
        if cls.silent:
            raise SchedulerError(cls.silent)
        return {each: cls.known[each] for each in ids if each in cls.known}

    @classmethod
    def cancel(cls, ids: Collection[str]) -> None:
        cls.asked.append(set(ids))

    @classmethod
    def version(cls) -> str:
        return "desk 1.0"

    @classmethod
    def log(cls, job: str, run: RunDir) -> str:
        return f"{job} found no python\n"


@pytest.fixture(autouse=True)
def open_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "known", {})
    monkeypatch.setattr(Desk, "asked", [])


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that writes a run whose job.json holds these entries."""

    def run(name: str = "run", configured: str = HERE, **entries: Any) -> RunDir:
        directory = RunDir(tmp_path / name)
        directory.path.mkdir()
        directory.create({"launcher": {"_target_": configured}}, [], {"status": "running"})
        directory.job.write_text(json.dumps(entries or {"id": "d1", "launcher": configured}))
        return directory

    return run


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (Job("d1", "pending", "queued", "no room"), State("pending", "job d1: no room")),
        (Job("d1", "pending", "queued"), State("pending", "job d1")),
        (Job("d1", "running", "at work", "", "desk 3"), State("running", "job d1 on desk 3")),
        (Job("d1", "running", "at work"), State("running", "job d1")),
        (Job("d1", "cancelled", "cancelled", "by root"), State("cancelled", "job d1: cancelled")),
        (Job("d1", "ended", "out of memory", "0:125"), State("failed", "job d1: out of memory (0:125)")),
        (None, State("lost", "the desk knows job d1 no longer, and it left no result")),
    ],
)
def test_the_state_of_a_job_is_what_its_scheduler_says(job: Job | None, expected: State, make: Make) -> None:
    Desk.known = {"d1": job} if job else {}
    assert state(make()) == expected


def test_a_scheduler_is_asked_once_for_all_its_jobs_and_not_for_those_that_ended(make: Make) -> None:
    runs = [make(name, id=f"d{name}", launcher=HERE) for name in ("1", "2", "3")]
    runs[2].write_result(TrainResult("completed", str(runs[2].path)))
    assert [each.word for each in states(runs)] == ["lost", "lost", "completed"]
    assert Desk.asked == [{"d1", "d2"}]


def test_a_scheduler_that_is_silent_leaves_the_state_open(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "silent", "closed for lunch")
    run = make()
    assert state(run) == State("unknown", "closed for lunch")
    run.write_result(TrainResult("interrupted", str(run.path)))
    assert state(run) == State("unknown", "closed for lunch")  # it may be queued again


def test_a_job_without_a_launcher_belongs_to_that_of_the_config(make: Make) -> None:
    Desk.known = {"d1": Job("d1", "running", "running")}
    assert state(make(id="d1")).word == "running"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"id": "x1"}, "its id is not that of a job of the desk"),
        ({"id": "--all"}, "its id is not that of a job"),
        ({"id": "d1 d2"}, "its id is not that of a job"),
        ({"id": "d1\n"}, "its id is not that of a job"),
        ({"id": "d1", "launcher": ["x"]}, "launcher has the wrong type"),
    ],
)
def test_an_entry_that_no_launcher_wrote_is_damage(entries: dict[str, Any], reason: str, make: Make) -> None:
    run = make(**entries)
    assert state(run) == State("damaged", f"{run.job}: damaged, {reason}; restore it, or remove it")
    with pytest.raises(Damaged):
        jobs.cancel([run])
    assert Desk.asked == []


def test_a_run_whose_config_names_no_launcher_either_is_damaged(make: Make) -> None:
    run = make(configured="", id="d1")
    assert state(run).reason == f"{run.job}: damaged, it names no launcher; restore it, or remove it"


@pytest.mark.parametrize(
    ("launcher", "reason"),
    [
        (
            "hub_test_evil.L",
            "code of hub_test_evil is not run from a config; set TRAINING_HUB_TARGETS=hub_test_evil if",
        ),
        ("training_hub.cli.main", "no training_hub.jobs.Scheduler; derive it from that"),
        ("training_hub.launchers.local.LocalLauncher", "no training_hub.jobs.Scheduler; derive it from that"),
        (
            "training_hub.jobs.Scheduler",
            "is abstract: some of its methods are not implemented; give a subclass that implements them",
        ),
        ("tests.no_such_module.L", "no such class; give package.module.Class"),
        ("os.system", "code of os is not run from a config"),
        ("a b", "not a dotted name"),
    ],
)
def test_a_folder_alone_runs_nothing(
    launcher: str, reason: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub_test_evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    run = make(id="d1", launcher=launcher)
    found = state(run)
    assert found.word == "unknown"
    assert found.reason.startswith(f"launcher={launcher}: {reason}")
    with pytest.raises(NoScheduler):
        jobs.cancel([run])
    assert not (tmp_path / "canary").exists()


def test_a_run_of_the_users_own_may_name_the_launcher_that_it_was_started_with(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub_test_desk.py").write_text("from tests.test_jobs import Desk\nclass Mine(Desk): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    own, other = make("own", "hub_test_desk.Mine"), make("other", id="d1", launcher="hub_test_desk.Mine")
    assert state(other).word == "unknown"  # its config names another one
    assert state(own).word == "lost"
    monkeypatch.setattr(trust, "_allowed_packages", set())
    own.config.write_text(own.config.read_text() + "lr: 1\n")  # changed since it was sealed
    assert state(own).word == "unknown"


def test_a_stopped_job_whose_launcher_is_not_here_is_what_its_result_says(make: Make) -> None:
    run = make(id="d1", launcher="hub_test_gone.L")
    run.write_result(TrainResult("interrupted", str(run.path)))
    assert state(run) == State("interrupted")


def test_jobs_are_cancelled_in_one_call(make: Make) -> None:
    jobs.cancel([make("1", id="d1"), make("2", id="d2")])
    assert Desk.asked == [{"d1", "d2"}]


def test_logs_show_what_a_job_printed_that_could_not_begin(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run = make()
    assert cli.main(["logs", str(run.path)]) == 0
    assert capsys.readouterr().out == "d1 found no python\n"
    run.log.write_text("begun\n")
    assert cli.main(["logs", str(run.path)]) == 0
    assert capsys.readouterr().out == "begun\n"
