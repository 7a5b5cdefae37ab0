"""What a sound config asks of this machine: files, libraries, GPUs, disk. Nothing heavy is imported."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from training_hub.config.choices import lock_of
from training_hub.config.hanging import is_sound, is_whole
from training_hub.config.room import too_full
from training_hub.config.weights import packing_faults, weight_faults
from training_hub.data.check import check as check_data
from training_hub.data.check import renders
from training_hub.data.place import cache_folder
from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.installed.interpreter import install_command, look_at, missing_requirements, too_old
from training_hub.installed.signature import constant
from training_hub.machine import hardware
from training_hub.model_files import hub_cache, largest_id
from training_hub.params import resume_mode
from training_hub.run import RunDir

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
CUDA_BUILD = "install a build of torch for the driver's CUDA, see pytorch.org"
_Check = tuple[tuple[str, ...], Callable[[], list[str]]]  # the entries that it reads, and what it finds


def preflight(
    config: Mapping[str, Any],
    faulty: Collection[str],
    backend_name: str,
    alternatives: Callable[[], Sequence[str]],
    launcher: Any,
    check_backend: Callable[[Mapping[str, Any]], list[str]],
) -> list[str]:
    """Every fault, one line each; [] where the run can start.

    config: resolved as far as it can be. faulty: keys with faults of their own, and those that hang on one; a check
    that reads one is left out.
    alternatives: finds the backends of the algorithm that need no GPU. launcher: its class.
    """
    faults = inputs(config, faulty) + sound_checks(
        config,
        faulty,
        (
            (("output_dir", "overwrite", "resume", "model.path"), lambda: _output(config)),
            (("launcher", *launcher.Params.model_fields), lambda: launcher.check(config["launcher"])),
            (("backend", "launcher"), lambda: _gpu(config, backend_name, alternatives, launcher)),
            (("backend.python",), lambda: _interpreter(config["backend"]["python"])),
        ),
    )
    return faults + sound_checks(
        config,
        {*faulty, *(text.partition("=")[0] for text in faults if text.startswith("backend.python="))},
        (
            (("backend.python", "backend.requires", "logger"), lambda: _libraries(config, backend_name)),
            (
                ("backend.python", "model.path"),
                lambda: packing_faults(config["model"]["path"], config["backend"]["python"]),
            ),
            (
                ("backend.python", "recipe._target_", "model", "data", "launcher", "logger"),
                lambda: check_backend(config),
            ),
        ),
    )


def inputs(config: Mapping[str, Any], faulty: Collection[str]) -> list[str]:
    """Faults of what a run reads: the model and the data."""
    checks = (
        (("model.path",), lambda: model_faults(config["model"])),
        (
            ("data.path", "data.eval_path", "data.format", "data.train_on"),
            lambda: check_data(config["data"] | _ids(config, faulty)),
        ),
        (("data.path", "data.eval_path", "model.path"), lambda: _template(config)),
        (("data.cache_dir",), lambda: _cache(config["data"])),
    )
    return sound_checks(config, faulty, checks)


def without_cuda(python: str | None) -> str | None:
    """Why an interpreter's torch cannot use this machine's GPUs; None where it can, or where either is missing."""
    path = look_at(python).search_path
    version, built = (constant(f"torch.version.{name}", path) for name in ("__version__", "cuda"))
    known = hardware.driver_cuda()
    if version is None or known is None:
        return None
    if built is None:
        return f"torch {version} is built without CUDA"
    if int(built.partition(".")[0]) > known:
        return f"torch {version} is built for CUDA {built}, the driver knows {known} at most"
    return None


def how_to_install(missing: Sequence[str], python: str | None, backend_name: str) -> str:
    """What to type where a backend's libraries are missing."""
    command = install_command(missing, python)
    if python or not lock_of(backend_name).is_file():
        return command
    return f"python -m training_hub env create {backend_name}, or {command}"


def sound_checks(config: Mapping[str, Any], faulty: Collection[str], checks: Sequence[_Check]) -> list[str]:
    """What those checks find whose entries are there and have no faults of their own.

    An entry may have a fault inside it: what the check says of the rest counts.
    """
    return [
        text
        for needs, found in checks
        if all(needed.split(".")[0] in config and _fit(needed, faulty) for needed in needs)
        for text in _found(found, faulty)
    ]


def _fit(needed: str, faulty: Collection[str]) -> bool:
    """Whether a check may read an entry: `data` with faults inside it, `callbacks.*` without any."""
    node = needed.removesuffix(".*")
    return is_sound(needed, faulty) if node == needed else is_whole(node, faulty)


def _found(check: Callable[[], list[str]], faulty: Collection[str]) -> list[str]:
    """The faults that a check finds; none where it stumbles over a value that has a fault of its own."""
    try:
        return check()
    except ConfigError as error:
        return list(error.faults)
    except Exception:
        if faulty:
            return []
        raise


def model_faults(node: Mapping[str, Any]) -> list[str]:
    """A folder must hold a model; what is no folder must at least look like an id on the hub."""
    path = str(node["path"])
    folder = Path(path).expanduser()
    if folder.is_dir():
        if (folder / "config.json").is_file():
            return _model_config(path) or weight_faults(path)
        return [fault("model_path", path, "no config.json in this folder", "give a folder in Hugging Face format")]
    if folder.exists():
        return [fault("model_path", path, "a file, not a folder", "give a folder in Hugging Face format or a hub id")]
    looks_local = path.startswith((".", "/", "~")) or (folder.parent.is_dir() and len(folder.parts) > 1)
    if looks_local or not _HUB_ID.fullmatch(path):
        return [
            fault("model_path", path, "no such folder, and not an id on the hub", "check the path, or give ORG/NAME")
        ]
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") and not hub_cache(path).is_dir():
        return [
            fault(
                "model_path", path, "no such folder, and HF_HUB_OFFLINE is set", "download it first, or give a folder"
            )
        ]
    return []


def _model_config(path: str) -> list[str]:
    """Whether a model folder's config.json can be read at all."""
    try:
        sound = isinstance(json.loads((Path(path).expanduser() / "config.json").read_bytes()), dict)
    except (OSError, ValueError):
        sound = False
    return [] if sound else [fault("model_path", path, "its config.json is not valid JSON", "download the model again")]


def _ids(config: Mapping[str, Any], faulty: Collection[str]) -> dict[str, int]:
    """The `largest_id` of a model in a folder; nothing where it is elsewhere, or not known."""
    if "model" not in config or not is_sound("model.path", faulty):
        return {}
    try:
        content = json.loads((Path(config["model"]["path"]).expanduser() / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    found = largest_id(content)
    return {} if found is None else {"largest_id": found}


def _template(config: Mapping[str, Any]) -> list[str]:
    """Whether a model folder has a chat template, where the rows are conversations."""
    path, data = str(config["model"]["path"]), config["data"]
    if data["chat_template"] or _has_template(Path(path).expanduser()) or not renders(data):
        return []
    rule = "its tokenizer has no chat template, and the rows are conversations"
    return [fault("model_path", path, rule, "give one with data.chat_template=FILE.jinja")]


def _has_template(folder: Path) -> bool:
    """Whether there is a template, or may be one: what is no folder, or has code of its own, only the worker knows."""
    known = folder / "tokenizer_config.json"
    if any(folder.glob("*chat_template*")) or not known.is_file():
        return True
    try:
        return bool({"chat_template", "auto_map"} & json.loads(known.read_bytes()).keys())
    except (OSError, ValueError, AttributeError):
        return True


def _cache(data: Mapping[str, Any]) -> list[str]:
    """Whether prepared data can be kept."""
    folder = cache_folder(data["cache_dir"])
    parent = hardware.existing_parent(folder)
    if parent.is_dir() and os.access(parent, os.R_OK | os.W_OK | os.X_OK):
        return []
    rule = f"{parent} cannot be written" if parent.is_dir() else _no_folder(parent)
    return [fault("data.cache_dir", folder, rule, "give another folder")]


def _no_folder(path: Path) -> str:
    return f"{path} is a file" if path.exists() else f"{path} is a broken link"


def _output(config: Mapping[str, Any]) -> list[str]:
    """The run directory must be new (or given up), writable, and have room for the model."""
    if not str(config["output_dir"] or "").strip():
        return [fault("output_dir", config["output_dir"], "is empty", "give a folder, or drop it")]
    folder = Path(str(config["output_dir"]))
    new = resume_mode(config["resume"]) == "never"
    if new and RunDir(folder).exists() and config["overwrite"] is not True:
        way = "resume it with resume=auto, start over with overwrite=true, or choose another"
        return [fault("output_dir", folder, "already holds a run", way)]
    model, checkpoints = map(os.path.realpath, (Path(config["model"]["path"]).expanduser(), RunDir(folder).checkpoints))
    if new and RunDir(folder).exists() and Path(model).is_relative_to(checkpoints):
        return [
            fault("overwrite", True, "model_path lies in the run that this would delete", "choose another output_dir")
        ]
    parent = hardware.existing_parent(folder)
    if not parent.is_dir():
        return [fault("output_dir", folder, _no_folder(parent), "choose another")]
    if not os.access(parent, os.R_OK | os.W_OK | os.X_OK):
        return [fault("output_dir", folder, f"{parent} cannot be written", "choose another")]
    if not RunDir(folder).exists() and not RunDir(folder).is_free():
        return [
            fault("output_dir", folder, "not empty, and not a run directory", "choose another, which is new or empty")
        ]
    return too_full(config)


def _gpu(
    config: Mapping[str, Any], backend_name: str, alternatives: Callable[[], Sequence[str]], launcher: Any
) -> list[str]:
    """Whether there are the GPUs that are asked for, where the workers run."""
    found, more = launcher.gpus(config["launcher"])
    if config["backend"]["needs_gpu"] and not found:
        names = alternatives()
        other = f"on this machine use backend={' or '.join(names)}" if names else "run it on another machine"
        return [fault("backend", backend_name, "needs a CUDA GPU; none was found here", more or other)]
    wanted = int(config["launcher"].get("nproc_per_node", 1))
    if wanted > found > 0:
        whose = f"gpus_per_node={found}" if more else f"this machine has {found} GPUs"
        return [fault("nproc_per_node", wanted, whose, f"at most {found}")]
    return []


def gpu_switches(config: Mapping[str, Any], names: Sequence[str], launcher: Any) -> list[str]:
    """Switches of the library that need a GPU, and are on where the workers have none."""
    on = [name for name in names if config["recipe"].get(name) is True]
    if not on or (launcher.gpus(config["launcher"])[0] and config["recipe"].get("use_cpu") is not True):
        return []
    return [fault(f"recipe.{name}", True, "needs a CUDA GPU", "drop it") for name in on]


def _interpreter(python: str | None) -> list[str]:
    """Whether the worker's code runs on what the config names."""
    try:
        return too_old(python)
    except ConfigError as error:
        return list(error.faults)


def _libraries(config: Mapping[str, Any], backend_name: str) -> list[str]:
    """Whether the backend's libraries and the loggers' are installed where the worker runs."""
    backend, faults = config["backend"], []
    python = backend["python"]
    if missing := missing_requirements(backend["requires"], python):
        rule = f"not installed: {enumerate_names(missing)}"
        faults.append(fault("backend", backend_name, rule, how_to_install(missing, python, backend_name)))
    elif backend["needs_gpu"] and (reason := without_cuda(python)):
        faults.append(fault("backend", backend_name, reason, CUDA_BUILD))
    for name, logger in config["logger"].items():
        if missing := missing_requirements(logger.get("requires") or [], python):
            rule = f"not installed: {enumerate_names(missing)}"
            faults.append(fault("logger", name, rule, install_command(missing, python)))
    return faults
