"""What launchers have in common whose runs become jobs of a scheduler."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from training_hub.interfaces.launcher import Launcher
from training_hub.jobs import Scheduler
from training_hub.launchers.follow import follow
from training_hub.run import RunDir, RunSpec
from training_hub.terminal import say


class JobLauncher(Launcher, Scheduler):
    """Submits runs as jobs, and answers for them. Its node may have a setting `wait`: follow the job to its end.

    limits: whether a sweep can be kept to some runs at a time; where not, `jobs=N` is refused.
    """

    waits: ClassVar[bool] = False
    limits: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def submit(cls, specs: Sequence[RunSpec], folder: Path, at_a_time: int | None) -> Iterable[tuple[RunSpec, str]]:
        """Submit runs whose directories have been made; gives each with the id of its job, as soon as that is known.

        Several are the runs of a sweep: one array, where the scheduler has arrays. folder: for what belongs to all of
        them, such as a script. at_a_time: how many may run at once, None for all. ConfigError where it is refused.
        """

    @classmethod
    def hand_over(cls, specs: Sequence[RunSpec], folder: Path, at_a_time: int | None = None) -> list[str]:
        """Submit runs and note the job of each in its directory; returns the ids in the order of the runs."""
        folder.mkdir(parents=True, exist_ok=True)
        ids: dict[str, str] = {}
        for spec, job in cls.submit(specs, folder, at_a_time):
            RunDir(spec.run_dir).write_job(job, spec.launcher)
            ids[spec.run_dir] = job
        return [ids[spec.run_dir] for spec in specs]

    @classmethod
    def launch(cls, spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int | None:
        """Submit one run; follow its job, or leave it alone (None)."""
        [job] = cls.hand_over([spec], run.submitted)
        if spec.settings.get("wait", True):
            return follow(cls, run, job, each_tick)
        say(f"submitted job {job}; follow it with: python -m training_hub logs -f {run.path}")
        return None
