"""A run is a directory: this module alone knows the names of the files in it.

It imports nothing but the standard library and PyYAML, because it is used in the submitting process and in
workers that may live in another environment.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from training_hub import metrics, stored
from training_hub.seal import NAME as SEAL
from training_hub.seal import is_sealed, seal
from training_hub.terminal import readable

_OF_ITS_END = ("ended", "exit_status")  # entries of a manifest
_STATUSES = ("created", "pending", "running", "completed", "failed", "interrupted")

_ENDS = frozenset(("completed", "failed", "interrupted"))
_JOB = re.compile(r"[^\W_][\w.:/@+=-]*", re.ASCII)  # an option of a command it is not

# What is read back is held against these: see `stored`.
METRICS_ROW = {key + "!" * (key == "step"): stored.NUMBER for key in metrics.CORE} | {metrics.NAME: stored.NUMBER}
_SAMPLES_ROW = {"when!": str, "prompt!": str, "answer!": str}
_MODEL = {"path!": str, "sha256!": str}
_COUNTS = {str: int}
_SOURCE = {
    "path!": str, "fingerprint!": str, "seen": str, "chat_template": str, "rows_read": int, "rows_kept": int,
    "tokens": int, "trained_tokens": int, "truncated": int, "dropped": _COUNTS, "left_out": _COUNTS,
}  # fmt: skip
_MANIFEST = {
    "status": str, "created": str, "ended": str, "command": str, "folder": str, "algorithm": str, "backend": str,
    "python": str, "training_hub": str, "model": _MODEL, "git": {"commit": str, "changed": bool},
    "data": {"train": _SOURCE, "eval": _SOURCE, "path": str, "sha256": str},
    "machine": {"host": str, "process": int, "user": str, "gpus": [str]},
    "total_steps": stored.NUMBER, "world_size": int, "parameters": int, "trainable_parameters": int,
    "exit_status": int, "resumed": [dict], "versions": {str: str},
}  # fmt: skip
_CONFIG = {
    "model": {"path": str}, "data": {"path": str, "eval_path": str}, "backend": {"python": str, "worker": str},
    "launcher": dict, "logger": {str: dict}, "model_path": str, "sample_prompts": [str],
}  # fmt: skip
_RESULT = {
    "status!": _ENDS, "run_dir": str, "checkpoint_path": str, "metrics": {str: stored.NUMBER},
    "duration_s": stored.NUMBER, "error": str, "best_checkpoint_path": str, "stopped": str, "warnings": [str],
}  # fmt: skip
_SPEC = {
    "run_dir!": str, "commands!": [[str]], "env!": {str: str}, "dropped_env": [str], "settings": dict, "launcher": str,
}  # fmt: skip


@dataclass
class TrainResult:
    """What a run came to.

    status: "completed", "failed" or "interrupted". checkpoint_path: folder in Hugging Face format, None where
    none was saved. metrics: final numbers, e.g. first_loss, final_loss, eval_loss_before, eval_loss_after (nats),
    steps, tokens, tokens_per_second. duration_s: wall time of the worker in seconds. error: where failed, a line for
    each fault. best_checkpoint_path: the model that a callback found best, None where none judged. stopped: why the
    run was completed before its last step, None where it was not. warnings: what went wrong beside the training.
    """

    status: str
    run_dir: str
    checkpoint_path: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0
    error: str | None = None
    best_checkpoint_path: str | None = None
    stopped: str | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunSpec:
    """Everything a launcher needs to know of a run; it never sees the config.

    commands: argument lists, run one after the other until one fails. env: what is added to the environment.
    dropped_env: variables that must not reach the workers. world_size: processes in all, over all nodes. settings: the
    launcher's own. resumable: whether a run that stopped can be resumed. launcher: its class, package.module.Class.
    """

    run_dir: str
    commands: tuple[tuple[str, ...], ...]
    env: dict[str, str]
    dropped_env: tuple[str, ...] = ()
    world_size: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    resumable: bool = True
    launcher: str = ""


class JobName(NamedTuple):
    """The job that a run is: its id, as its launcher knows it, and the class of that launcher."""

    id: str
    launcher: str


class RunDir:
    """The files of one run, by name."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config.yaml"
        self.overrides = self.path / "overrides.yaml"
        self.conf = self.path / "conf"  # options that did not come with the project, as they were when it began
        self.manifest = self.path / "manifest.json"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples.jsonl"
        self.log = self.path / "train.log"
        self.result = self.path / "result.json"
        self.loss_plot = self.path / "loss.png"
        self.stop = self.path / "stop"
        self.lock = self.path / ".lock"
        self.spec = self.path / "spec.json"  # the RunSpec, for a job on another machine
        self.loggers = self.path / "loggers"  # a file for each logger: which run it is there, how far it has got
        self.job = self.path / "job.json"  # which job it is, and of which launcher
        self.submitted = self.path / "job"  # what a launcher keeps of its job, e.g. the script that was submitted
        self.prepared = self.path / "prepared"  # rows as a library's script reads them: train.jsonl, eval.jsonl
        self.library = self.path / "library"  # what a library's script writes
        self.checkpoints = self.path / "checkpoints"
        self.final_checkpoint = self.checkpoints / "final"
        self.unfinished = self.checkpoints / ".unfinished"  # what is being saved
        self.lock_handle: int | None = None  # while `held`

    def exists(self) -> bool:
        """Whether a run was ever started in this folder, a damaged one too; another program's files do not count."""
        try:
            return stored.there(self.overrides) and self.read_manifest().get("status") in _STATUSES
        except stored.Damaged:
            return stored.there(self.config) and any(map(stored.there, (self.metrics, self.result, self.log)))

    @classmethod
    def around(cls, checkpoint: str | os.PathLike[str]) -> RunDir | None:
        """The run that a checkpoint lies in, None where it lies in none."""
        run = cls(Path(checkpoint).absolute().parents[1])
        return run if run.exists() and run.checkpoints == Path(checkpoint).absolute().parent else None

    def is_free(self) -> bool:
        """Whether a run may begin in the folder: it is missing, or empty but for a start that was killed."""
        if not self.path.is_dir():
            return not self.path.exists()
        found = set(self.path.iterdir())
        return not found or (self.lock in found and all(map(self._is_of_a_start, found)))

    def _is_of_a_start(self, path: Path) -> bool:
        """Whether `create` makes such a file or folder before there is a run."""
        if path == self.checkpoints:
            return not any(path.iterdir())
        files = (self.config, self.overrides, self.manifest)
        return path in (self.lock, self.conf, self.path / SEAL, *files[:2]) or path.name.startswith(
            tuple(f".{file.name}." for file in files)
        )

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Make the folder, and keep other runs out while the block lasts; False where one is going on in it.

        A process that inherits `lock_handle` keeps them out as long as it lives. OSError where the folder is not
        writable.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if self.lock.exists() and not self.lock.is_file():  # opening a pipe would wait
            raise OSError(errno.EEXIST, f"{self.lock.name} is not a file")
        with self.lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:  # a file system without locks, as some clusters have; a run must go on there
                pass
            self.lock_handle = file.fileno()
            try:
                yield True
            finally:
                self.lock_handle = None

    def is_held(self) -> bool | None:
        """Whether a run is going on in the folder; None where the file system has no locks to tell by."""
        if not self.lock.is_file():
            return False
        with self.lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:
                return None
        return False

    def create(
        self,
        config: dict[str, Any],
        overrides: list[str],
        manifest: dict[str, Any],
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the files that a run begins with, in place of an older run's. OSError where the folder is not writable.

        options: content of config options by name, see `conf`.
        Old checkpoints go as well: a library that keeps the last few would count them among the new ones.
        """
        self.result.unlink(missing_ok=True)  # first: whatever dies from here on leaves no completed run
        for folder in (self.checkpoints, self.loggers, self.conf) if self.exists() else ():
            if folder.exists():
                shutil.rmtree(folder)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        for stale in (self.metrics, self.samples, self.loss_plot, self.log, self.stop, self.job):
            stale.unlink(missing_ok=True)
        self._describe(config, overrides, manifest, options)

    def reopen(
        self,
        config: dict[str, Any],
        overrides: list[str],
        manifest: dict[str, Any],
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Let a run that has stopped go on: its checkpoints, metrics and log stay. OSError as for `create`.

        Where it goes on from, the worker finds out: the newest sound checkpoint. The manifest lists each time.
        """
        before = self.read_manifest()
        again = {name: manifest[name] for name in ("created", "command") if name in manifest}
        kept = {name: before[name] for name in ("created", "command", "data") if name in before}
        manifest = before | manifest | kept | {"resumed": [*before.get("resumed", []), again]}
        for stale in (self.result, self.loss_plot, self.stop, self.job):
            stale.unlink(missing_ok=True)
        self._describe(config, overrides, {key: manifest[key] for key in manifest if key not in _OF_ITS_END}, options)

    def _describe(
        self, config: dict[str, Any], overrides: list[str], manifest: dict[str, Any], options: Mapping[str, str]
    ) -> None:
        self.write_options(options)  # first: what was typed chooses from them
        files = {
            self.config: yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            self.overrides: yaml.safe_dump(overrides, allow_unicode=True),
        }
        self.seal({file.name: text for file, text in files.items()} | {"folder": str(manifest.get("folder"))})
        for file, text in files.items():
            write_atomically(file, text)
        write_atomically(self.manifest, json.dumps(manifest, indent=2, default=str) + "\n")

    def seal(self, contents: Mapping[str, str]) -> None:
        """Sign contents of files, by their names in the folder, that are about to be written."""
        seal(self.path, _encoded(contents))

    def is_own(self, others: Mapping[str, str] | None = None) -> bool:
        """Whether this user has written here all that the run would be started again from, and nobody changed it.

        others: what counts instead of config, overrides and folder, by name; the options in `conf` count always.
        """
        try:
            contents = self._stated() if others is None else _encoded(others)
            options = list(self.conf.rglob("*"))
            if any(path.is_symlink() for path in (self.conf, *options)):
                return False
            texts = [path for path in options if path.suffix in (".yaml", ".yml") and path.is_file()]
            contents |= {str(path.relative_to(self.path)): path.read_bytes() for path in texts}
        except (OSError, ValueError, AttributeError):
            return False
        return is_sealed(self.path, contents)

    def _stated(self) -> dict[str, bytes]:
        files = {file.name: file.read_bytes() for file in (self.config, self.overrides)}
        return files | _encoded({"folder": str(self.read_manifest().get("folder"))})

    def write_options(self, options: Mapping[str, str]) -> None:
        """Write config options, name -> content, beside those that are kept already."""
        for name, content in options.items():
            file = self.conf / f"{name}.yaml"
            if self.conf in Path(os.path.normpath(file)).parents:  # a defaults list may name ../what/it/likes
                file.parent.mkdir(parents=True, exist_ok=True)
                self.seal({str(file.relative_to(self.path)): content})
                write_atomically(file, content)

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint after so many optimizer steps."""
        return self.checkpoints / f"checkpoint-{step}"

    def read_overrides(self) -> list[str]:
        """What the user typed."""
        return list(stored.read(self.overrides, [str]))

    def read_config(self) -> dict[str, Any]:
        """The resolved config, as plain dicts and lists."""
        return dict(stored.read(self.config, _CONFIG))

    def read_manifest(self) -> dict[str, Any]:
        """The manifest, empty where there is none yet."""
        return dict(stored.read(self.manifest, _MANIFEST)) if stored.there(self.manifest) else {}

    def update_manifest(self, **entries: Any) -> None:
        """Set top-level entries of the manifest; the file is replaced atomically."""
        write_atomically(self.manifest, json.dumps(self.read_manifest() | entries, indent=2, default=str) + "\n")

    def append_metrics(self, **values: float | None) -> None:
        """Add one row: all of metrics.CORE, null where unknown, and the further metrics that are known.

        ValueError for a further metric of a bad name, or without a finite number.
        """
        known = {name: value for name, value in values.items() if name not in metrics.CORE and value is not None}
        row = {key: values.get(key) for key in metrics.CORE}
        row |= {name: metrics.checked(name, value) for name, value in known.items()}
        with self.metrics.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All rows of metrics so far, each with all of metrics.CORE; `left_out` tells what cannot be read."""
        return filled(stored.rows(self.metrics, METRICS_ROW)[0])

    def cut_back(self, metrics: int, samples: int) -> None:
        """Keep the first rows of metrics and of samples alone: the later ones are about to be written again."""
        for file, count in ((self.metrics, metrics), (self.samples, samples)):
            if file.exists():
                rows = file.read_text(encoding="utf-8").split("\n")[:-1][:count]
                write_atomically(file, "".join(f"{row}\n" for row in rows))

    def append_sample(self, when: str, prompt: str, answer: str) -> None:
        """Add one generated answer; when is "before" or "after" training."""
        with self.samples.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"when": when, "prompt": prompt, "answer": answer}, ensure_ascii=False) + "\n")

    def read_samples(self) -> list[dict[str, str]]:
        """All generated answers, in the order they were written; what cannot be read is left out."""
        return stored.rows(self.samples, _SAMPLES_ROW)[0]

    def left_out(self) -> list[str]:
        """A line for each file of rows of which something cannot be read."""
        shapes = {self.metrics: METRICS_ROW, self.samples: _SAMPLES_ROW}
        return [said for file, shape in shapes.items() if (said := stored.rows(file, shape)[1])]

    def write_job(self, job: str, launcher: str) -> None:
        """Write down which job the run is, and the class of the launcher that answers for it."""
        entries = {"id": job, "launcher": launcher, "noted": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        write_atomically(self.job, json.dumps(entries) + "\n")

    def write_result(self, result: TrainResult) -> None:
        """Write the result; nothing is written to the run after it."""
        write_atomically(self.result, json.dumps(asdict(result), indent=2) + "\n")

    def read_result(self) -> TrainResult | None:
        """The result, None where the run has not ended."""
        if not stored.there(self.result):
            return None
        names = [each.name for each in fields(TrainResult)]
        found = {name: value for name, value in stored.read(self.result, _RESULT).items() if value is not None}
        found["metrics"] = {name: value for name, value in found.get("metrics", {}).items() if value is not None}
        return TrainResult(**{"run_dir": str(self.path)} | {name: found[name] for name in names if name in found})

    def write_spec(self, spec: RunSpec) -> None:
        """Write what a job on another machine needs to know."""
        write_atomically(self.spec, json.dumps(asdict(spec), indent=2) + "\n")

    def read_spec(self) -> RunSpec:
        """What write_spec wrote."""
        loaded = stored.read(self.spec, _SPEC)
        return RunSpec(**loaded | {"commands": tuple(map(tuple, loaded["commands"]))})

    def read_job(self) -> JobName | None:
        """The job that the run is, None for a run that is none. Where job.json names no launcher, the config does."""
        if not stored.there(self.job):
            return None
        found = stored.read(self.job, {"id!": (str, int), "launcher": str})
        name = JobName(str(found["id"]), found.get("launcher") or self.launcher())
        if not _JOB.fullmatch(name.id):
            raise stored.Damaged(self.job, "its id is not that of a job")
        if not name.launcher:
            raise stored.Damaged(self.job, "it names no launcher")
        return name

    def launcher(self) -> str:
        """The class of the launcher that the config names; "" where it names none."""
        return str((self.read_config().get("launcher") or {}).get("_target_") or "")

    def request_stop(self, by: str = "user") -> None:
        """Ask the worker to save and stop after the current step."""
        self.stop.write_text(by)

    def withdraw_stop(self, by: str) -> None:
        """Take a request back, where it was made in this name."""
        if stored.there(self.stop) and self._asked_by() == by:
            self.stop.unlink(missing_ok=True)

    def stop_requested(self, by: str | None = None) -> bool:
        """Whether somebody asked the worker to stop; by: in this name."""
        return stored.there(self.stop) and (by is None or self._asked_by() == by)

    def _asked_by(self) -> str | None:
        try:
            return stored.text_of(self.stop)
        except stored.Damaged:  # or taken back meanwhile
            return None

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the log, as they may be shown; "" for none."""
        return "\n".join(readable(self.log_since(self.log_size() - 200 * lines - 4096)).splitlines()[-lines:])

    def log_size(self) -> int:
        """Bytes of the log so far, 0 where there is none."""
        return self.log.stat().st_size if self.log.is_file() else 0

    def log_since(self, start: int) -> str:
        """The log from a byte on, "" where there is none."""
        if not self.log.is_file():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, start))
            return file.read().decode(errors="replace")


def filled(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of metrics with all of metrics.CORE; an older run may not have all of them."""
    return [{**dict.fromkeys(metrics.CORE), **row} for row in rows]


def _encoded(contents: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode("utf-8", "surrogatepass") for name, text in contents.items()}


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old text or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
