"""`export` and `interpolate`: a checkpoint as a plain model for others, or a mixture of two."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from training_hub import vouched
from training_hub.ask import ask
from training_hub.config.preflight import model_faults
from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.installed.interpreter import install_command, missing_requirements
from training_hub.machine import hardware
from training_hub.run import RunDir
from training_hub.verbs.export.settings import ExportSettings, Written

_MODULE = "training_hub.workers.export.__main__"
_ADAPTER = "adapter_config.json"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_ASIDE = re.compile(r"\.|[a-z]+-checkpoint-")  # unfinished, or torn
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


class Source(NamedTuple):
    """A checkpoint, and the run that it came from where it lies in one."""

    folder: Path
    run: RunDir | None

    @property
    def is_adapter(self) -> bool:
        """Whether it is small weights beside those of another model."""
        return (self.folder / _ADAPTER).is_file()

    def config(self) -> dict[str, Any]:
        """The run's config, empty where it came from none."""
        return self.run.read_config() if self.run else {}


def export(name: str, settings: ExportSettings) -> int:
    """Write a run's result, or a checkpoint, as a plain model. Everything wrong is a ConfigError."""
    source = find(name)
    _heed("export", name, source, settings)
    _refuse(_source_faults(name, source))
    base = settings.model_path or (_base_of(source) if source.is_adapter else None)
    faults = _output_faults(settings, [source.folder, *([Path(base)] if base else [])])
    if base and not source.is_adapter:
        faults.append(fault("model_path", base, "the checkpoint is a whole model", "drop it"))
    elif base is not None:
        faults += model_faults({"path": base})
    _refuse(faults or _machine_faults(settings, source, Path(base) if base else source.folder))
    prompts = source.config().get("sample_prompts") or [None]
    return _ask(settings, source, model_path=base, run=source.run and str(source.run.path), prompt=prompts[0])


def interpolate(names: Sequence[str], settings: Written, weight: float) -> int:
    """Write a mixture of two checkpoints of one model. Everything wrong is a ConfigError."""
    sources = [find(name) for name in names]
    for name, source in zip(names, sources, strict=True):
        _heed("interpolate", name, source, settings)
    named = list(zip(names, sources, strict=True))
    faults = [text for name, source in named for text in _source_faults(name, source)]
    faults += [f"{name}: an adapter is no whole model; export it first" for name, source in named if source.is_adapter]
    faults += _output_faults(settings, [source.folder for source in sources])
    _refuse(faults or _machine_faults(settings, sources[0], sources[0].folder))
    return _ask(settings, sources[0], other=str(sources[1].folder), weight=weight)


def _heed(verb: str, name: str, source: Source, settings: Written) -> None:
    """ConfigError for a checkpoint in the folder of a run that is not the user's own, and not trusted either."""
    if source.run:
        vouched.heed_run(source.run, f"{verb} {name}", settings.trust)


def find(name: str) -> Source:
    """The checkpoint that is meant by the folder of one, or of a run: its final one, else its newest."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"{name}: no such folder; give a run, or a checkpoint in Hugging Face format")
    if not RunDir(folder).exists():
        if not _is_checkpoint(folder):
            raise ConfigError(f"{name}: neither a run nor a checkpoint; it has no config.json and no {_ADAPTER}")
        return Source(folder.absolute(), RunDir.around(folder))
    run = RunDir(folder)
    if _is_checkpoint(run.final_checkpoint):
        return Source(run.final_checkpoint, run)
    saved = [each for each in run.checkpoints.glob("*") if _is_checkpoint(each) and not _ASIDE.match(each.name)]
    if not saved:
        raise ConfigError(f"{name}: the run has saved no checkpoint; give another")
    return Source(max(saved, key=lambda each: each.stat().st_mtime), run)


def _is_checkpoint(folder: Path) -> bool:
    return (folder / "config.json").is_file() or (folder / _ADAPTER).is_file()


def _base_of(source: Source) -> str:
    """The model that an adapter belongs to, as the run or the adapter itself says."""
    adapter = json.loads((source.folder / _ADAPTER).read_text())
    said = str(source.config().get("model_path") or adapter.get("base_model_name_or_path") or "")
    started_in = source.run.read_manifest().get("folder") or "" if source.run else ""
    return str(Path(started_in) / said) if (Path(started_in) / said).is_dir() else said


def _source_faults(name: str, source: Source) -> Iterator[str]:
    """What is wrong with a checkpoint that can be seen from outside."""
    file = source.folder / (_ADAPTER if source.is_adapter else "config.json")
    try:
        config = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        yield f"{name}: its {file.name} is not valid JSON"
        return
    patterns = ("adapter_model.*",) if source.is_adapter else _WEIGHTS
    if not any(any(source.folder.glob(pattern)) for pattern in patterns):
        yield f"{name}: no weights in {source.folder}"
    if config.get("quantization_config"):
        yield f"{name}: its weights are quantised; export the adapter that was trained on it, or a whole model"
    if config.get("peft_type") == "OSF" and not source.run:
        yield f"{name}: only its run knows which directions it has trained; leave it in the run's checkpoints/"


def _output_faults(settings: Written, sources: Sequence[Path]) -> list[str]:
    """Where the model is to go: a new folder, an empty one, or in place of another model."""
    folder = Path(settings.output_dir).expanduser().absolute()
    parent = hardware.existing_parent(folder)
    if not parent.is_dir() or not os.access(parent, os.R_OK | os.W_OK | os.X_OK):
        rule = f"{parent} cannot be written" if parent.is_dir() else f"{parent} is a file"
        return [fault("output_dir", settings.output_dir, rule, "choose another")]
    if any(folder == each.resolve() or folder in each.resolve().parents for each in sources):
        return [fault("output_dir", settings.output_dir, "what is exported lies there", "choose another")]
    held = list(folder.iterdir()) if folder.is_dir() else []
    if held and not ((folder / "config.json").is_file() and all(each.is_file() for each in held)):
        return [fault("output_dir", settings.output_dir, "holds files, and no model", "choose another, new or empty")]
    if held and not settings.overwrite:
        return [fault("output_dir", settings.output_dir, "holds a model", "choose another, or add overwrite=true")]
    return []


def _machine_faults(settings: Written, source: Source, weights: Path) -> Iterator[str]:
    """What is not installed where the worker runs, and whether the weights of a folder fit on the disk."""
    needs = ["torch", "transformers>=5", "safetensors", "huggingface_hub", *(["peft"] if source.is_adapter else [])]
    if missing := missing_requirements(needs, _python(source)):
        yield f"not installed: {enumerate_names(missing)}; {install_command(missing, _python(source))}"
    needed, free = _size_gb(weights, settings.dtype), hardware.free_disk_gb(settings.output_dir)
    if needed > free:
        rule = f"{free:.2f} GB are free there, the model needs {needed:.2f} GB"
        yield fault("output_dir", settings.output_dir, rule, "free some space or choose another")


def _size_gb(folder: Path, dtype: str) -> float:
    """The weights of a folder in another type; 0 where they are on the hub."""
    files = next((files for pattern in _WEIGHTS if (files := list(folder.glob(pattern)))), [])
    if not files:
        return 0.0
    config = json.loads((folder / "config.json").read_text())
    stored = _BYTES.get(str(config.get("dtype") or config.get("torch_dtype")), 4)
    return sum(file.stat().st_size for file in files) * _BYTES.get(dtype, stored) / stored / 1e9


def _refuse(faults: Iterable[str]) -> None:
    if found := list(dict.fromkeys(faults)):
        raise ConfigError(*found)


def _python(source: Source) -> str | None:
    python: str | None = source.config().get("backend", {}).get("python")
    return python


def _ask(settings: Written, source: Source, **more: Any) -> int:
    """Let the worker write; the last word is ours."""
    place = str(Path(settings.output_dir).expanduser().absolute())
    request = {
        "source": str(source.folder),
        "output_dir": place,
        "dtype": settings.dtype,
        "trust_remote_code": settings.trust_remote_code or bool(source.config().get("trust_remote_code")),
        **more,
    }
    status = ask(_MODULE, request, _python(source))
    if status == 0:
        print(f"\n{place}\nto publish it: hf upload OWNER/NAME {shlex.quote(place)}")
    return status
