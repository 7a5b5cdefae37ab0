"""What the files of a composition would have run, and whether somebody's word allows it.

A file of settings may come from anywhere. What it says is data, but for a few settings that make the program execute
something. These count where the user typed them, or typed `trust=true`, which vouches for all files of the command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from training_hub.config.choices import entry, options
from training_hub.config.sources import Said
from training_hub.config.typed import Typed, parse
from training_hub.errors import ConfigError, fault
from training_hub.installed import signature, trust
from training_hub.installed.locate import CALLBACK, LAUNCHER, find_class

PYTHON, FORMATS = "backend.python", "data.formats"
_CALLBACKS = ("training_hub", "training_hub.callbacks")
_WAY = "type it, or add trust=true if you trust the file"
_CODE_OF_MODELS = ("${trust_remote_code}", "${model.trust_remote_code}", False, None)
_OF_HYDRA = ("_target_", "()", "class", "searchpath")  # that Hydra, or Python's logging, calls or imports


def heed(cfg: DictConfig, said: Sequence[Said], typed: Typed) -> None:
    """Allow what was typed. ConfigError for what a file alone would have run."""
    for python in _typed_python(typed):
        trust.allow(pythons=[python])
    if is_trusting(typed):
        _allow_all(cfg)
        return
    launcher = _value(cfg, "launcher._target_")
    faults = [
        fault(each.key, each.value, f"executes code, so {each.name}.yaml alone cannot set it", _WAY)
        for each in {each.key: each for each in said}.values()
        if runs(each.key, each.value, launcher) and each.key not in typed
    ]
    faults += [
        fault("trust", each.value, f"counts only where it is typed, and {each.name}.yaml says it", "drop it there")
        for each in said
        if each.key == "trust"
    ]
    faults += [*_workers(cfg), *_callbacks(cfg)]
    if faults:
        raise ConfigError(*dict.fromkeys(faults))


def is_trusting(typed: Typed) -> bool:
    """Whether the user typed trust=true."""
    return "trust" in typed and parse(f"x={typed.values['trust']}").value() is True


def is_word(key: str) -> bool:
    """Whether typing a setting may decide what is executed."""
    return key in ("trust", "backend.worker", "backend.trainer") or runs(key, "any/value")


def runs(key: str, value: Any, launcher: str | None = None) -> bool:
    """Whether a setting makes the program, or a library, execute something that it names.

    launcher: the class that is asked for settings of the launcher, beside those of all options.
    """
    first, _, rest = key.partition(".")
    last = key.rpartition(".")[2]
    if first == "hydra":
        return last in _OF_HYDRA
    if last == "trust_remote_code":
        return value not in _CODE_OF_MODELS
    if last == "attn_implementation":  # a kernel from the hub
        return "/" in str(value)
    if key == PYTHON:
        return bool(value) and not _is_known_python(str(value))
    return first == "launcher" and bool(rest) and any(each.executes(rest, value) for each in _launchers(launcher))


def _launchers(further: str | None) -> Iterator[Any]:
    """The classes of all launchers; further: of one that is no option. What is not trusted is refused elsewhere."""
    named = [entry("launcher", name, "launcher._target_") for name in options("launcher")]
    for target in {*named, *([further] if further else [])}:
        with suppress(ConfigError, ImportError):
            yield find_class(str(target), LAUNCHER)


def would_run(config: Mapping[str, Any], overrides: Sequence[str]) -> Iterator[str]:
    """What a run folder's files name that is executed, as it would be typed."""
    for name in ("python", "worker", "trainer"):
        if value := (config.get("backend") or {}).get(name):
            yield f"backend.{name}={value}"
    for group, key in (("logger", "worker"), ("callbacks", "_target_")):
        for name, node in (config.get(group) or {}).items():
            if isinstance(node, Mapping) and node.get(key):
                yield f"{group}.{name}.{key}={node[key]}"
    for name, node in ((config.get("data") or {}).get("formats") or {}).items():
        if isinstance(node, Mapping) and not f"{node.get('_target_')}.".startswith(f"{trust.OWN}."):
            yield f"{FORMATS}.{name}._target_={node.get('_target_')}"
    launcher = (config.get("launcher") or {}).get("_target_")
    yield from (f"{key}={value}" for key, value in _leaves(config) if key != PYTHON and runs(key, value, launcher))
    for text in map(str, overrides):
        key, _, value = text.lstrip("+").partition("=")
        if runs(key, value, launcher) or key.rpartition(".")[2] in ("worker", "trainer", "_target_"):
            yield text.lstrip("+")


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _typed_python(typed: Typed) -> Iterator[str]:
    """The interpreter that was typed, as the config will have it; what stands in a file is not resolved for it."""
    if PYTHON in typed:
        value = parse(f"x={typed.values[PYTHON]}").value()
        with suppress(OmegaConfBaseException, TypeError):
            text = str(OmegaConf.create({"x": value}).x)
            yield os.path.expanduser(text)  # noqa: PTH111  Path refuses the home of a user who does not exist


def _is_known_python(text: str) -> bool:
    if text.startswith("${own_python:") and text.count("${") <= 2 and text.endswith("}"):
        return True  # gives nothing but environments of `env create`
    return trust.may_run(os.path.expanduser(text))  # noqa: PTH111


def _workers(cfg: DictConfig) -> Iterator[str]:
    """What a worker imports, from code that nobody vouches for: named before a worker is started."""
    for path, key in _code(cfg):
        target = _value(cfg, f"{path}.{key}") if key == "worker" else ""
        if target and (text := trust.worker_refusal(target, f"{path}.{key}")):
            yield text
        elif target.startswith(f"{trust.OWN}.") and not _is_own_worker(target, path):
            yield fault(f"{path}.{key}", target, "not a worker of this package", "drop it")


def _is_own_worker(target: str, path: str) -> bool:
    """Whether there is such a worker, by its source, as importing it takes seconds: a backend's is called `train`."""
    return (path != "backend" or target.endswith(".train")) and signature.arguments(target) is not None


def _callbacks(cfg: DictConfig) -> Iterator[str]:
    """Callbacks of this package that are none; those of others are the worker's to import."""
    for path, _ in (each for each in _code(cfg) if each[0].startswith("callbacks.") and each[1] == "_target_"):
        target = _value(cfg, f"{path}._target_")
        if f"{target}.".startswith(f"{trust.OWN}."):
            try:
                _own_callback(target, f"{path}._target_")
            except ConfigError as error:
                yield from error.faults


def _own_callback(target: str, key: str) -> None:
    if target.rpartition(".")[0] not in _CALLBACKS:  # importing any other module would only take time
        raise ConfigError(fault(key, target, "no callback of this package", "drop it"))
    find_class(target, CALLBACK, key=key)


def _allow_all(cfg: DictConfig) -> None:
    """Vouch for the code and the interpreter that a composition names."""
    names = [_value(cfg, f"{path}.{key}") for path, key in _code(cfg)]
    python = _value(cfg, PYTHON)
    trust.allow({name.partition(".")[0] for name in names if name}, [python] if python else [])


def _code(cfg: DictConfig) -> Iterator[tuple[str, str]]:
    """The nodes that name code of a choice's, and the keys that do so."""
    for group in ("algorithm", "backend", "launcher", "adapter"):
        yield group, "_target_"
    yield "backend", "worker"
    yield "backend", "trainer"
    for name in OmegaConf.select(cfg, FORMATS) or ():
        yield f"{FORMATS}.{name}", "_target_"
    for group in ("logger", "callbacks"):
        for name in cfg.get(group) or ():
            yield f"{group}.{name}", "_target_"
            yield f"{group}.{name}", "worker"


def _value(cfg: DictConfig, path: str) -> str:
    """A setting as text; "" for none, and where it has no value yet."""
    with suppress(OmegaConfBaseException, ConfigError):
        value = OmegaConf.select(cfg, path)
        return "" if value is None else str(value)
    return ""
