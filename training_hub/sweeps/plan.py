"""The jobs of a sweep, every one of them checked."""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from training_hub import catalogue, train
from training_hub.config.composition import Composition
from training_hub.config.variants import Variants
from training_hub.errors import ConfigError, fault, merged
from training_hub.metrics import CORE
from training_hub.run import RunDir
from training_hub.sweep_dir import Job, outcome
from training_hub.weights_check import Asked

_NOT_OF_THE_RUN = ("output_dir", "overwrite", "resume", "strict", "trust", "verbose", "launcher")
_BETWEEN_COLLECTIONS = 50
_LONGEST_NAME = 100  # characters; a path may have many such parts

A = TypeVar("A")
B = TypeVar("B")


class Planner:
    """Plans runs that differ in a few values.

    swept: the names of these. of_hydra: overrides of the sweep's itself. metric: what each run must measure.
    """

    def __init__(
        self,
        swept: Sequence[str],
        config_dirs: Sequence[str] = (),
        of_hydra: Sequence[str] = (),
        metric: str | None = None,
    ) -> None:
        self._swept, self._metric = swept, metric
        self._of_hydra = of_hydra
        self._declared: set[tuple[str, str]] | None = None
        self._variants = Variants(catalogue.names(), config_dirs)
        self.unwatched: list[Asked] = []  # of the runs that were planned

    def jobs(self, every: Iterable[Sequence[str]]) -> list[Job]:
        """A job for each list of overrides; of equal configs one. ConfigError with what cannot be composed."""
        return _once(_each(every, lambda overrides: self._job(overrides, self._variants.compose(overrides))))

    def checked(self, every: Iterable[Sequence[str]], folder: Path) -> list[Job]:
        """The same, after every check of a run in its folder. ConfigError with the faults of all, each once."""

        def check(overrides: Sequence[str]) -> Job:
            composition = self._variants.compose(overrides)
            self._refuse_another_sweep(composition)
            job = self._job(overrides, composition)
            self._plan(job, composition, folder)
            return job

        return _once(_each(every, check))

    def check(self, jobs: Iterable[Job], folder: Path) -> None:
        """ConfigError with the faults of all jobs, each once."""
        _each(jobs, lambda job: self.plan(job, folder))

    def plan(self, job: Job, folder: Path) -> train.Plan:
        """The plan of a job in its folder of the sweep's. ConfigError with every fault.

        One that was begun there is resumed, or begins anew where its backend cannot resume. One that is completed must
        have had the same model and data.
        """
        composition = self._variants.compose(job.overrides)
        if (run := RunDir(folder / job.name)).exists():
            anew = composition.classes.backend.cannot_resume and outcome(run)["status"] != "completed"
            composition = self._variants.compose([*job.overrides, "overwrite=true" if anew else "resume=auto"])
        return self._plan(job, composition, folder)

    def _plan(self, job: Job, composition: Composition, folder: Path) -> train.Plan:
        catalogue.refuse_python_made(composition)
        planned = train.plan(composition, str(folder / job.name))
        if self._metric and (rule := unmeasured(self._metric, planned.config)):
            raise ConfigError(fault("rank_by", self._metric, *rule))
        self.unwatched += (model for model in planned.unwatched if model not in self.unwatched)
        return planned

    def launcher(self, job: Job) -> Any:
        """The class of a job's launcher."""
        return self._variants.compose(job.overrides).classes.launcher

    @property
    def kept(self) -> dict[str, str]:
        """The config options of all jobs so far that did not come with the project: name -> content."""
        return self._variants.kept

    def hydra(self, overrides: Sequence[str]) -> Any:
        """Hydra's own node of a config, e.g. `sweeper.n_trials`."""
        return self._variants.compose([*overrides, *self._of_hydra]).hydra_cfg.hydra

    def _refuse_another_sweep(self, composition: Composition) -> None:
        """ConfigError where runs of one sweep come from files that declare different ones: `-m experiment=a,b`."""
        declared = {(each.key, str(each.value)) for each in composition.hydras}
        first = self._declared = declared if self._declared is None else self._declared
        if declared != first:
            key, value = min(declared ^ first)
            raise ConfigError(
                fault(key, value, "set for some runs of the sweep but not for the others", "choose one experiment")
            )

    def folder(self, every: Iterable[Sequence[str]]) -> Path:
        """Where a sweep goes whose folder was not typed: an experiment's output_dir, else Hydra's hydra.sweep.dir.

        ConfigError where no job can be composed.
        """
        composition = next(filter(None, map(self._composed, every)), None)
        if composition is None:
            _each(every, self._variants.compose)  # raises: it says why no job is sound
            raise AssertionError(every)
        with composition.resolving() as cfg:
            own = "output_dir" in composition.by_user
            try:
                return Path(str(cfg.output_dir if own else composition.hydra_cfg.hydra.sweep.dir))
            except OmegaConfBaseException as error:
                said = str(error).partition(chr(10))[0]
                raise ConfigError(f"{'output_dir' if own else 'hydra.sweep.dir'}: {said}") from None

    def _composed(self, overrides: Sequence[str]) -> Composition | None:
        try:
            return self._variants.compose([*overrides, *self._of_hydra])
        except ConfigError:
            return None

    def _job(self, overrides: Sequence[str], composition: Composition) -> Job:
        digest, values = digest_of(composition, self._swept), values_of(overrides, self._swept)
        return Job(digest, folder_name(values, digest), tuple(overrides), values)


def unmeasured(metric: str, config: Mapping[str, Any]) -> tuple[str, str] | None:
    """The rule that a held-out metric breaks where there are no held-out rows, and the way out; None for any other."""
    data = config["data"]
    if not metric.startswith("eval_") or data["eval_path"] or data["eval_fraction"]:
        return None
    if metric not in CORE and config.get("callbacks"):
        return None  # a callback may measure it on rows of its own
    return "there are no held-out rows to measure it on", "add eval_data_path=FILE or eval_fraction=0.05"


def _each(every: Iterable[A], made: Callable[[A], B]) -> list[B]:
    """What is made of each; ConfigError with all faults together."""
    results: list[B] = []
    faults: list[str] = []
    for number, each in enumerate(every, start=1):
        try:
            results.append(made(each))
        except ConfigError as error:
            faults += error.faults
        if number % _BETWEEN_COLLECTIONS == 0:  # configs are full of cycles, and Python is told to look for few
            gc.collect()
    if faults:
        raise ConfigError(*merged(faults))
    return results


def _once(jobs: Iterable[Job]) -> list[Job]:
    return list({job.digest: job for job in jobs}.values())


def values_of(overrides: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """The values that overrides give to some keys."""
    pairs = {key.lstrip("+"): value for key, _, value in (text.partition("=") for text in overrides)}
    return {key: pairs[key] for key in keys}


def digest_of(composition: Composition, swept: Sequence[str] = ()) -> str:
    """What a run computes, as 64 hexadecimal digits: equal for equal configs, whatever folder they are written to.

    How it is launched has no part in that, but for what the runs of a sweep differ in.
    """
    config: Any = OmegaConf.to_container(composition.cfg, resolve=False)
    launching = set(composition.classes.launcher.Params.model_fields) - set(swept)
    asked = {key: value for key, value in config.items() if key not in launching.union(_NOT_OF_THE_RUN)}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def folder_name(values: Mapping[str, str], digest: str) -> str:
    """A readable name for a run's folder, `lr=1e-05,seed=1-3f2a9c1b`: safe in a path and in a shell, never too long."""
    text = ",".join(f"{key}={value}" for key, value in values.items()) or "run"
    return f"{re.sub(r'[^A-Za-z0-9_.,=+-]+', '_', text)[:_LONGEST_NAME]}-{digest[:8]}"
