"""A run's, or a sweep's, folder as the source of a command: what this user wrote here is taken at its word."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from training_hub.config.typed import parse
from training_hub.config.words import would_run
from training_hub.errors import ConfigError, enumerate_names
from training_hub.installed import trust
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir

_WORD = "trust"
_FEW = 6


def heed_run(run: RunDir, said: str, trusted: bool) -> None:
    """Let the files of a run's folder decide what is executed. said: the verb with the folder, as it was typed.

    ConfigError for a folder that this user has not written here, unless trusted: the user typed so.
    """
    config, overrides = _read(run)
    run.read_manifest()  # raises where it is damaged
    if not trusted and not run.is_own():
        raise ConfigError(_refusal(said, list(dict.fromkeys(would_run(config, overrides)))))
    trust.allow(folders=[str(run.conf)])
    trust.allow_config(config)


def heed_sweep(sweep: SweepDir, said: str, trusted: bool) -> None:
    """The same for the folder of a sweep."""
    if not trusted and not sweep.is_own():
        raise ConfigError(_refusal(said, list(would_run({}, sweep.read().get("overrides") or ()))))
    trust.allow(folders=[str(sweep.conf)])


def is_trusted(typed: Sequence[str]) -> bool:
    """Whether trust=true is among settings."""
    return any(key.lstrip("+") == _WORD and _is_true(text) for text in typed for key in [text.partition("=")[0]])


def without_word(settings: Sequence[str]) -> list[str]:
    """Settings but for `trust`: it was for the files of that time."""
    return [text for text in settings if text.partition("=")[0].lstrip("+") != _WORD]


def _is_true(text: str) -> bool:
    return parse(text).value() is True


def _read(run: RunDir) -> tuple[dict[str, Any], list[str]]:
    """Config and overrides, empty where there are none. ConfigError where they are damaged."""
    config, overrides = dict[str, Any](), list[str]()
    with suppress(FileNotFoundError):
        config = run.read_config()
    with suppress(FileNotFoundError):
        overrides = run.read_overrides()
    return config, overrides


def _refusal(said: str, names: Sequence[str]) -> str:
    more = f", ... ({len(names) - _FEW} more)" if len(names) > _FEW else ""
    what = f"; it would run {enumerate_names(names[:_FEW])}{more}" if names else ""
    return f"{said}: not written by you here, or changed since{what}; add trust=true if you trust the folder"
