"""The river: overrides -> config -> checks -> plan -> launch -> result.

Nothing heavy is imported, and nothing is written before every check has passed.
"""

from __future__ import annotations

import errno
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from training_hub import catalogue, checkpoints, provenance, resume, weights_check
from training_hub.catalogue import composed as composed
from training_hub.config import hooks
from training_hub.config.check import check_and_resolve, faulty_keys
from training_hub.config.composition import Composition
from training_hub.config.groups import GROUPS
from training_hub.config.home import literal
from training_hub.config.lookup import selected
from training_hub.config.objects import Objects, objects_of
from training_hub.config.overrides import override_texts
from training_hub.config.preflight import gpu_switches, preflight, sound_checks
from training_hub.config.room import shortages
from training_hub.config.secrets import secret_faults
from training_hub.errors import EXIT_CTRL_C, EXIT_INTERRUPTED, ConfigError, RunFailed, RunInterrupted, fault
from training_hub.installed import trust
from training_hub.interfaces.launcher import Launcher
from training_hub.machine import hardware
from training_hub.machine.processes import how_it_ended
from training_hub.params import resume_mode
from training_hub.results import torchrun_log
from training_hub.results.progress import Progress
from training_hub.results.summary import summarise
from training_hub.run import RunDir, RunSpec, TrainResult
from training_hub.terminal import complain, quiet, say
from training_hub.trainers.base import ModelKind

_FULL_GB = 0.001


@dataclass(frozen=True)
class Plan:
    """A run that has passed every check.

    config: resolved, plain dicts and lists. start: how it begins, as things are now. warnings: what there is too little
    of, a line each.
    """

    composition: Composition
    config: dict[str, Any]
    launcher: Launcher
    spec: RunSpec
    start: resume.Start = resume.NEW
    warnings: tuple[str, ...] = ()

    @property
    def unwatched(self) -> list[weights_check.Asked]:
        """Its model, for `weights_check`, where it begins with it while nobody looks on."""
        if self.launcher.waits or self.start != resume.NEW:
            return []
        trainer = self.composition.classes.trainer
        return [(self.config["model"], self.config["backend"]["python"], trainer.model if trainer else ModelKind())]


def plan(composition: Composition, output_dir: str | None = None) -> Plan:
    """Check a composition against its schema and this machine. ConfigError with every fault.

    output_dir: the run directory where it is not for the user to choose, as in a sweep.
    """
    if output_dir is not None:
        composition.cfg.output_dir = literal(output_dir)
    elif "output_dir" not in composition.by_user:
        composition.cfg.output_dir = _run_to_go_on(composition) or _unused_name(composition)
    faults, config = check_and_resolve(composition)
    algorithm, backend_name = composition.choices["algorithm"], composition.choices["backend"]
    faulty = faulty_keys(composition, faults)
    faults += secret_faults(config, composition.by_user, composition.overrides)
    chosen = _objects(composition, config, faults)
    backend, adapter, launcher = chosen.backend, chosen.adapter, chosen.launcher
    faults += preflight(
        config, faulty, backend_name, partial(catalogue.alternatives, algorithm), launcher, backend.check
    )
    faults += sound_checks(
        config,
        faulty,
        (
            (("backend.python",), lambda: adapter.check(config)),
            (("recipe", "launcher"), lambda: gpu_switches(config, backend.of_gpus, launcher)),
            (("callbacks.*", "backend.python", "data"), lambda: list(hooks.faults(config, backend))),
            (("logger",), lambda: [text for each in chosen.loggers.values() for text in each.check()]),
        ),
    )
    scarce = (
        []
        if faults
        else shortages(
            config, partial(backend.memory_floor, config, adapter), launcher.waits, not backend.cannot_resume
        )
    )
    faults += scarce if config.get("strict") else []
    if faults:
        raise ConfigError(*(composition.as_typed(text) for text in faults))
    spec, start = _spec(config, chosen), resume.decide(composition, config)
    return Plan(composition, config, launcher, spec, start, tuple(map(composition.as_typed, scarce)))


def _objects(composition: Composition, config: Mapping[str, Any], faults: Sequence[str]) -> Objects:
    """The objects that the choices name. ConfigError where one cannot be made, with the faults that are known."""
    try:
        return objects_of(config, composition.classes)
    except ConfigError as error:
        raise ConfigError(*map(composition.as_typed, faults or error.faults)) from None


class Watch(Protocol):
    """What is told of a run while it goes on."""

    def __enter__(self) -> Watch: ...
    def __exit__(self, *error: Any) -> None: ...
    def tick(self) -> None:
        """Called a few times per second."""


def run(planned: Plan, command: Sequence[str] = ()) -> TrainResult:
    """Launch a plan and follow it to its end; see `follow`.

    It is shown on standard output, unless `verbose` is false: warnings are on standard error then.
    """
    if not planned.config["verbose"]:
        with quiet():
            return _followed(planned, command, complain, lambda _: Unwatched())
    return _followed(planned, command, say, Progress)


class Unwatched:
    """Nothing is told of a run."""

    def __enter__(self) -> Unwatched:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def tick(self) -> None:
        """Do nothing."""


def _followed(
    planned: Plan, command: Sequence[str], warn: Callable[[str], None], progress: Callable[[RunDir], Watch]
) -> TrainResult:
    def watch(directory: RunDir) -> Watch:
        say(f"run {directory.path}")
        for text in planned.warnings:
            warn(f"warning: {text}")
        if planned.start != resume.NEW:
            say(planned.start.text(directory))
        return progress(directory)

    result = follow(planned, command, watch)
    if planned.start.done:
        say(planned.start.text(RunDir(planned.spec.run_dir)))
    elif result.status == "completed":
        summarise(RunDir(result.run_dir), result)
    return result


def follow(planned: Plan, command: Sequence[str], watch: Callable[[RunDir], Watch]) -> TrainResult:
    """Launch a plan and follow it to its end, unseen but for what `watch` makes of it.

    command: what the user typed, for the manifest. Raises RunFailed where the run failed, RunInterrupted where it was
    stopped, ConfigError where the run directory cannot be written, or the weights of a job's model do not fit.
    """
    weights_check.must_fit(planned.unwatched)
    with _begun(planned, command) as (directory, start):
        if start.done:
            return start.done
        status = _launch(planned, directory, watch)
        return TrainResult("pending", str(directory.path)) if status is None else _outcome(planned, directory, status)


def lay_out(planned: Plan, command: Sequence[str]) -> None:
    """Write the run directory of a run that is launched together with others; ConfigError as for `follow`."""
    with _begun(planned, command) as (directory, start):
        if not start.done:
            directory.update_manifest(status="pending")


@contextmanager
def _begun(planned: Plan, command: Sequence[str]) -> Iterator[tuple[RunDir, resume.Start]]:
    """The run directory, held while the block lasts and ready for the worker; and how the run begins."""
    directory = RunDir(planned.spec.run_dir)
    composition = planned.composition
    manifest = provenance.manifest(command or sys.argv, planned.config, composition.choices)
    manifest |= {"commands": planned.spec.commands, "world_size": planned.spec.world_size}
    with ExitStack() as kept:
        try:
            if not kept.enter_context(directory.held()):
                way = "wait until it ends, or choose another"
                raise ConfigError(fault("output_dir", planned.spec.run_dir, "a run is active there", way))
            start = resume.decide(composition, planned.config)  # once more: now nobody else works there
            if not start.done:
                _open(directory, start, planned, manifest)
        except OSError as error:
            rule = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
            raise ConfigError(fault("output_dir", planned.spec.run_dir, rule, "choose another")) from None
        yield directory, start


def _open(directory: RunDir, start: resume.Start, planned: Plan, manifest: dict[str, Any]) -> None:
    """Make the run directory ready for the worker, which goes on from the newest sound checkpoint in it."""
    overrides, options = list(planned.composition.overrides), planned.composition.kept
    if not start.goes_on:
        directory.create(planned.config, overrides, manifest, options)
        if start.checkpoint:
            checkpoints.adopt(start.checkpoint, directory)
        return
    directory.reopen(planned.config, overrides, manifest, options)
    for checkpoint in start.later:
        checkpoints.set_aside(checkpoint, "later")


def _launch(planned: Plan, directory: RunDir, watch: Callable[[RunDir], Watch]) -> int | None:
    """The exit status of the workers; None where nobody waits for them.

    Whatever ends this process meanwhile, the run does not stay "running"; but for one that goes on by itself.
    """
    waits = planned.launcher.waits
    try:
        directory.update_manifest(status="running" if waits else "pending")
        with watch(directory) as watching:
            return planned.launcher.launch(planned.spec, directory, watching.tick)
    except BaseException as error:
        if waits or directory.read_job() is None:
            stopped = isinstance(error, KeyboardInterrupt)
            _record(directory, "interrupted" if stopped else "failed", f"{type(error).__name__}: {error}".rstrip(": "))
        raise


def from_python(algorithm: str, backend: str, given: Mapping[str, Any]) -> TrainResult:
    """What the Python functions do: the same path as the command line's."""
    texts = [f"algorithm={algorithm}", f"backend={backend}", *override_texts(given, GROUPS)]
    return run(plan(composed(texts, typed_in="Python")), ["python", *texts])


def _spec(config: dict[str, Any], chosen: Objects) -> RunSpec:
    backend, launcher = chosen.backend, chosen.launcher
    node = config["launcher"]
    run_dir = str(config["output_dir"])
    command = launcher.command(
        node, backend.interpreter(config), backend.worker(config, run_dir), backend.script(config, run_dir)
    )
    env = {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "true", **launcher.environment(node)}
    env |= trust.for_workers(trust.imported(config))
    return RunSpec(
        run_dir,
        (tuple(command),),
        env,
        launcher.dropped_env,
        world_size=int(node["world_size"]),
        settings=dict(node),
        resumable=not backend.cannot_resume,
        launcher=str(node["_target_"]),
    )


def _run_to_go_on(composition: Composition) -> str | None:
    """The run directory that `resume` names, None where it names none."""
    with composition.resolving() as cfg:
        run = resume.run_of(resume_mode(selected(cfg, "resume") or "never"))
    return str(run) if run else None


def _unused_name(composition: Composition) -> str:
    """The default run directory; a second run within the same second gets a number."""
    with composition.resolving() as cfg:
        name = str(selected(cfg, "output_dir"))
    number, free = 1, name
    while RunDir(free).exists():
        number += 1
        free = f"{name}_{number}"
    return free


def _outcome(planned: Plan, directory: RunDir, status: int) -> TrainResult:
    """The result that the worker wrote, or one in its place where it died without a word."""
    result = directory.read_result()
    if result is None:
        died = how_it_ended(status)
        died += "; the disk is full" if hardware.free_disk_gb(directory.path) < _FULL_GB else ""
        result = _record(
            directory, "interrupted" if status == EXIT_CTRL_C or directory.stop_requested() else "failed", died
        )
    if result.status == "failed":
        if directory.read_manifest().get("exit_status") == ConfigError.exit_status:
            raise RunFailed(f"{result.error}\n  whole log: {directory.log}", ConfigError.exit_status)
        words = torchrun_log.without_summary(directory.log_tail(400)).splitlines()[-12:]
        tail = "\n".join(f"  {line}" for line in words)
        raise RunFailed(f"{directory.path}: the run failed: {result.error}\n{tail}\n  whole log: {directory.log}")
    if result.status == "interrupted":
        may_go_on = planned.spec.resumable and checkpoints.saved(directory)
        way = f"; go on with it: python -m training_hub resume {shlex.quote(str(directory.path))}" if may_go_on else ""
        raise RunInterrupted(
            f"{directory.path}: stopped before its end{way}",
            EXIT_CTRL_C if status == EXIT_CTRL_C or status < 0 else EXIT_INTERRUPTED,
        )
    return result


def _record(directory: RunDir, status: str, error: str) -> TrainResult:
    """The result of a run whose worker wrote none, in the run directory too as far as the disk lets it."""
    result = TrainResult(status, str(directory.path), error=error)
    with suppress(OSError, ValueError):
        directory.update_manifest(status=status)
        directory.write_result(result)
    return result
