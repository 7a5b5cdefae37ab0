"""Jobs: runs that a scheduler has taken over. The launcher that submitted a job answers for it, by the job's id alone.

Whoever asks has a run's folder and nothing else, perhaps one that another user or an older version wrote: `job.json` in
it names the job and the class of its launcher, which is imported only if it is trusted.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from training_hub.errors import ConfigError, HubError
from training_hub.installed import trust
from training_hub.installed.locate import find_class
from training_hub.run import JobName, RunDir
from training_hub.stored import Damaged

_SCHEDULER = "training_hub.jobs.Scheduler"


class SchedulerError(HubError):
    """A scheduler does not answer, or refuses. The message is its own, in one line."""


class NoScheduler(SchedulerError):
    """This machine does not have the scheduler, or the code that asks it."""


@dataclass(frozen=True)
class Job:
    """A job as its scheduler has it.

    id: as its launcher knows it. word: the scheduler's own word for its state, in lower case. reason: why it waits, or
    why it ended; "" where the word says it all. place: where it runs.
    """

    id: str
    phase: Literal["pending", "running", "cancelled", "ended"]
    word: str
    reason: str = ""
    place: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs or will run."""
        return self.phase in ("cancelled", "ended")

    def __str__(self) -> str:
        """`running on node[1-2]`, `pending (Resources)`, `failed (NonZeroExitCode)`."""
        if self.phase == "running" and self.place:
            return f"{self.word} on {self.place}"
        return self.word + (f" ({self.reason})" if self.reason and self.phase != "cancelled" else "")


class Scheduler(ABC):
    """What answers for jobs. Class methods: a job may be asked for where nobody knows the settings of its launcher.

    name: in messages, e.g. SLURM. job_id: a pattern that its ids match; an id may come from anybody's folder.
    """

    name: ClassVar[str]
    job_id: ClassVar[str] = ".+"

    @classmethod
    @abstractmethod
    def jobs(cls, ids: Collection[str]) -> dict[str, Job]:
        """Jobs by id, in one question; those that it does not know any more are left out. SchedulerError if silent."""

    @classmethod
    @abstractmethod
    def cancel(cls, ids: Collection[str]) -> None:
        """End jobs without waiting for them to save. One that has ended is no error. SchedulerError if silent."""

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Which scheduler it is, and what it offers, in one line. NoScheduler where this machine has none."""

    @classmethod
    def log(cls, job: str, run: RunDir) -> str:
        """What a job printed before its run's log began, e.g. why it could not start; "" for nothing."""
        return ""


Answer = Job | SchedulerError | Damaged | None


def ask(runs: Iterable[RunDir]) -> dict[Path, Answer]:
    """What is known of the jobs of runs, by run directory. Each scheduler is asked once.

    None: it does not know the job any more. An error: why there is no answer.
    """
    answers: dict[Path, Answer] = {}
    ids: dict[type[Scheduler], dict[Path, str]] = defaultdict(dict)
    for run in runs:
        try:
            if name := run.read_job():
                ids[scheduler_of(run, name)][run.path] = name.id
        except (SchedulerError, Damaged) as error:
            answers[run.path] = error
    for scheduler, wanted in ids.items():
        answers |= _answers(scheduler, wanted)
    return answers


def cancel(runs: Iterable[RunDir]) -> None:
    """End the jobs of runs. SchedulerError where that cannot be."""
    ids: dict[type[Scheduler], set[str]] = defaultdict(set)
    for run in runs:
        if name := run.read_job():
            ids[scheduler_of(run, name)].add(name.id)
    for scheduler, wanted in ids.items():
        scheduler.cancel(wanted)


def log(run: RunDir) -> str:
    """What the job of a run printed outside of the run's log; "" where there is none, or nobody to ask."""
    with suppress(SchedulerError, Damaged):
        if name := run.read_job():
            return scheduler_of(run, name).log(name.id, run)
    return ""


def scheduler_of(run: RunDir, name: JobName) -> type[Scheduler]:
    """Who answers for the job of a run. NoScheduler for code that is not trusted or not there, Damaged for a wrong id.

    A folder that this user has written here is trusted to name the launcher that its run was started with.
    """
    if not trust.is_trusted(name.launcher) and run.is_own() and run.launcher() == name.launcher:
        trust.allow([name.launcher.partition(".")[0]])
    try:
        found: type[Scheduler] = find_class(name.launcher, _SCHEDULER, key="launcher")
    except (ConfigError, ImportError) as error:
        raise NoScheduler(str(error)) from None
    if not re.fullmatch(found.job_id, name.id):
        raise Damaged(run.job, f"its id is not that of a job of {found.name}")
    return found


def _answers(scheduler: type[Scheduler], wanted: dict[Path, str]) -> dict[Path, Answer]:
    try:
        jobs = scheduler.jobs(set(wanted.values()))
    except SchedulerError as error:
        return dict.fromkeys(wanted, error)
    return {path: jobs.get(job) for path, job in wanted.items()}
