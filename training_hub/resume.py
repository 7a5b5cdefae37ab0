"""How a run begins: new, where an earlier one stopped, or not at all because it is done."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_hub import catalogue, checkpoints, provenance, vouched
from training_hub.checkpoints import Checkpoint, latest_checkpoint
from training_hub.config import added, twice
from training_hub.config.composition import Composition
from training_hub.config.groups import GROUPS
from training_hub.config.overrides import override_texts
from training_hub.config.same import differences
from training_hub.data import origin
from training_hub.errors import ConfigError, enumerate_names, fault, shown_value, suggestion
from training_hub.params import resume_mode
from training_hub.results.state import state
from training_hub.run import RunDir, TrainResult
from training_hub.stored import Damaged, misfit

_MODES = ("auto", "must", "never")
_SET_HERE = ("output_dir", "ckpt_output_dir", "overwrite", "resume")
_NEEDED = {"model!": {"path!": str}, "data!": {"path!": str}}  # of a config that a run is compared with
_LENGTH = ("num_epochs", "max_steps")


@dataclass(frozen=True)
class Start:
    """How a run begins.

    done: the result of a run that has nothing left to do. goes_on: whether the run directory holds a run that goes on.
    checkpoint: where it goes on from as far as the front can tell; the worker looks again, and closer. later: those of
    the run that are not to be gone on from. added: settings that did not exist when the run began, with their values.
    """

    done: TrainResult | None = None
    goes_on: bool = False
    checkpoint: Checkpoint | None = None
    later: tuple[Path, ...] = ()
    added: tuple[str, ...] = ()

    def text(self, run: RunDir) -> str:
        """What is about to happen, in one line."""
        new = f"; new settings, taken at their defaults: {', '.join(self.added)}" if self.added else ""
        return f"{self._text(run)}{new}"

    def _text(self, run: RunDir) -> str:
        if self.done:
            return f"{run.path} is completed: nothing to do"
        if self.checkpoint:
            return f"resuming from step {self.checkpoint.step}: {self.checkpoint.path}"
        return "no checkpoint to resume from: starting over" if self.goes_on else "a new run"


NEW = Start()


def run_of(mode: str) -> Path | None:
    """The run directory that a path for `resume` lies in; None for a word, or where there is no such run."""
    if not mode or mode in _MODES:
        return None
    path = Path(mode).absolute()
    return next((each for each in (path, path.parent.parent) if RunDir(each).exists()), None)


def decide(composition: Composition, config: Mapping[str, Any]) -> Start:
    """How the run of a sound config begins. ConfigError where it cannot go on as asked; nothing is written."""
    mode, run = resume_mode(config["resume"]), RunDir(config["output_dir"])
    _refuse_living(run)
    if mode == "never":
        return NEW
    if config["overwrite"]:
        raise ConfigError(fault("resume", mode, "overwrite=true starts the run over", "keep one of the two"))
    if mode not in _MODES:
        return _from_path(composition, config, mode)
    if run.exists():
        return _go_on(composition, config, mode, run)
    if mode == "must" and not config["launcher"].get("node_rank"):
        raise ConfigError(fault("resume", mode, f"no run in output_dir={run.path}", "give the output_dir of a run"))
    return NEW


def settings_of(folder: str, changed: Sequence[str], config_dirs: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """The overrides that a run was started with, changed and bound to go on, and the folders of its config options.

    Enters the folder that they were typed in. config_dirs: typed now, hence looked into before the run's own.
    ConfigError where there is no run. As with resume=auto, it begins again where it left no sound checkpoint.
    """
    run = RunDir(Path(folder).resolve())
    if not run.exists():
        raise ConfigError(fault("resume", folder, "not a run or a sweep", "give the folder of one"))
    vouched.heed_run(run, f"resume {folder}", vouched.is_trusted(changed))
    folders = [*map(os.path.abspath, config_dirs), *([str(run.conf)] if run.conf.is_dir() else [])]
    typed_in = Path(run.read_manifest().get("folder") or ".")
    if typed_in.is_dir():
        os.chdir(typed_in)
    settings = twice.changed(vouched.without_word(run.read_overrides()), changed, catalogue.names())
    kept = [text for text in settings if text.lstrip("+").partition("=")[0] not in _SET_HERE]
    return [*kept, *override_texts({"output_dir": str(run.path), "resume": "auto"}, GROUPS)], folders


def refuse_set_here(changed: Sequence[str]) -> None:
    """ConfigError for what the verb `resume` says itself."""
    given = [text for text in changed if text.lstrip("+").partition("=")[0] in _SET_HERE]
    if given:
        raise ConfigError(*(f"{text}: resume always uses the settings in that folder; drop it" for text in given))


def _refuse_living(run: RunDir) -> None:
    """ConfigError where a job works in the folder, or will; a run that this machine waits for holds the lock."""
    if run.exists() and run.read_job() is not None and (found := state(run)).may_go_on:
        way = "wait until it ends, cancel it, or choose another"
        rule = f"a run {'is' if found.goes_on else 'may be'} active there: {found.reason or found.word}"
        raise ConfigError(fault("output_dir", run.path, rule, way))


def _go_on(composition: Composition, config: Mapping[str, Any], mode: str, run: RunDir) -> Start:
    """Go on with the run in output_dir."""
    before, result = run.read_config(), run.read_result()
    if lacking := misfit(before, _NEEDED):
        raise Damaged(run.config, lacking)
    typed = run.read_overrides()
    fresh = _refuse_changes(composition, config, before, run.read_manifest(), run.path, typed)
    if config["launcher"].get("node_rank"):  # the first machine knows, and tells the workers of all
        return Start(goes_on=True, added=fresh)
    completed = result is not None and result.status == "completed"
    if completed and all(before.get(key) == config.get(key) for key in _LENGTH):
        return Start(done=result)
    _refuse_backend(composition, config, mode)
    search = latest_checkpoint(run)
    if search.newest is None and (completed or mode == "must"):
        torn = "".join(f"; {path.name}: {reason}" for path, reason in search.refused.items())
        way = "start over with overwrite=true"
        raise ConfigError(fault("resume", mode, f"{run.path} has no checkpoint to resume from{torn}", way))
    return Start(goes_on=True, checkpoint=search.newest, added=fresh)


def _from_path(composition: Composition, config: Mapping[str, Any], mode: str) -> Start:
    """Go on from a run or a checkpoint by its path, in its own run directory or in a new one."""
    checkpoint, source, run = _named(mode), run_of(mode), RunDir(config["output_dir"])
    facts = checkpoint.facts
    if lacking := misfit(facts, {"config!": _NEEDED, "origin!": dict, "rows!": dict}):
        raise Damaged(checkpoint.path / checkpoints.SEAL, lacking)
    typed = RunDir(source).read_overrides() if source else []
    fresh = _refuse_changes(composition, config, facts["config"], _told_in(facts), source or checkpoint.path, typed)
    _refuse_backend(composition, config, mode)
    if source and source.resolve() == run.path.resolve():
        later = [path for path in checkpoints.saved(run) if checkpoints.step_of(path) > checkpoint.step]
        return Start(goes_on=True, checkpoint=checkpoint, later=tuple(later), added=fresh)
    if run.exists():
        raise ConfigError(fault("output_dir", run.path, "already holds another run", "choose another, or drop it"))
    return Start(checkpoint=checkpoint, added=fresh)


def _told_in(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the seal of a checkpoint tells of its run's origin, as a manifest does."""
    data = facts.get("data") or {"train": {"fingerprint": facts["rows"].get("fingerprint")}}
    return {**facts["origin"], "data": data}


def _named(mode: str) -> Checkpoint:
    """The checkpoint at a path, or the newest one of the run there."""
    if not mode:
        raise ConfigError(fault("resume", mode, "is empty", f"choose from {enumerate_names(_MODES)}, or give a path"))
    path = Path(mode).absolute()
    if not path.exists():
        raise ConfigError(fault("resume", mode, "no such folder", suggestion(mode, _MODES) or "check the path"))
    if RunDir(path).exists():
        search = latest_checkpoint(RunDir(path))
        if search.newest is None:
            torn = "".join(f"; {each.name}: {reason}" for each, reason in search.refused.items())
            rule = f"that run has no checkpoint to resume from{torn}"
            raise ConfigError(fault("resume", mode, rule, "give another, or drop it"))
        return search.newest
    reason = checkpoints.fault_of(path, thorough=False)
    if reason:
        way = "give a run directory, or a folder checkpoint-<step> in one"
        raise ConfigError(fault("resume", mode, f"not a checkpoint to resume from: {reason}", way))
    return checkpoints.read(path)


def _refuse_changes(
    composition: Composition,
    config: Mapping[str, Any],
    before: Mapping[str, Any],
    told: Mapping[str, Any],
    place: Path,
    typed: Sequence[str],
) -> tuple[str, ...]:
    """ConfigError for every setting that is not the one in `before`, and for another model or data than was `told`.

    Returns the settings that did not exist then. typed: the overrides that the run was started with.
    """
    way = "use that value, or choose another output_dir"
    chosen = {key: composition.choices[key] for key in ("algorithm", "backend")}
    other = [
        fault(key, name, f"{place} has {key}={told[key]}", way)
        for key, name in chosen.items()
        if told.get(key, name) != name
    ]
    if other:
        raise ConfigError(*other)
    changed = differences(composition, config, before)
    new = added.since(composition, before, changed, typed)
    faults = [
        composition.as_typed(fault(key, value, f"{place} started with {shown_value(old)}", way))
        for key, (old, value) in changed.items()
        if key not in new
    ]
    path, rule = config["model"]["path"], f"{place} started with a different model"
    faults += _other_content("model_path", path, before["model"]["path"], told.get("model"), rule)
    faults += map(composition.as_typed, _other_data(config, before, told.get("data") or {}))
    if faults:
        raise ConfigError(*faults)
    return tuple(f"{key}={shown_value(changed[key][1])}" for key in sorted(new))


def _other_data(config: Mapping[str, Any], before: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """A line for each source of rows that is not the one before: as the worker told, else as the front saw."""
    if "train" in told or not told:
        return list(origin.faults(config["data"], before["data"], told))
    path = config["data"]["path"]
    faults = _other_content("data_path", path, before["data"]["path"], told, "the run started with different rows")
    return faults + list(origin.faults(config["data"], {**before["data"], "path": path}, {}))


def _other_content(name: str, path: str, path_before: str, told: Mapping[str, Any] | None, rule: str) -> list[str]:
    """A line where the files are not those of before. What is on the hub is not looked into, its name alone counts."""
    now = provenance.fingerprint(Path(path).expanduser())
    if now["sha256"] == told["sha256"] if now and told and "sha256" in told else path == path_before:
        return []
    return [fault(name, path, f"{rule}, {(told or {}).get('path', path_before)}", "use that one")]


def _refuse_backend(composition: Composition, config: Mapping[str, Any], mode: str) -> None:
    """ConfigError where the backend cannot go on with a run."""
    reason = composition.classes.backend.cannot_resume
    if reason:
        rule = f"backend={composition.choices['backend']} cannot resume: {reason}"
        raise ConfigError(fault("resume", mode, rule, "start over with overwrite=true"))
