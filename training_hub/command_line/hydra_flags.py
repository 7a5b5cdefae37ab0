"""Hydra's own flags: --cfg and --info. The names are checked by us first, then Hydra takes over."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from training_hub import catalogue, train
from training_hub.config.check import check
from training_hub.config.compose import rewritten
from training_hub.config.groups import CONF, ROOT, VERSION_BASE, further_folders, prepare_hydra, recipes_in_place
from training_hub.errors import ConfigError, fault, suggestion


def hand_to_hydra(flags: list[tuple[str, str | None]], overrides: list[str], folders: list[str]) -> int:
    """Run Hydra's application, which shows something; returns the exit status."""
    names = {flag for flag, _ in flags}
    if names & {"--info", "-i"}:
        train.composed(overrides, folders, sweep=None)
    if names & {"--cfg", "-c"}:
        _check_names(overrides, folders)
        _check_package(flags, overrides, folders)
    elif names & {"--info", "-i"}:
        train.composed(overrides, folders)  # refuses what a file alone would have run
    if overrides:
        overrides = rewritten(overrides, catalogue.names())
    # Flags first: Hydra 1.3 refuses overrides on both sides of one.
    own = [flag for flag in flags if flag[0] not in ("--config-dir", "-cd")]  # of which Hydra takes one
    sys.argv = [sys.argv[0], *(word for flag in own for word in flag if word is not None), *overrides]
    prepare_hydra()

    @hydra.main(config_path=str(CONF), config_name=ROOT, **VERSION_BASE)
    def shown(cfg: DictConfig) -> None:
        raise AssertionError(f"{names} runs no job")

    with recipes_in_place(), further_folders(folders):
        shown()
    return 0


def _check_names(overrides: Sequence[str], folders: list[str]) -> None:
    """Refuse keys that do not exist; parameters may still be missing."""
    composition = train.composed(overrides, folders, sweep=None)
    if faults := check(composition, allow_missing=True):
        raise ConfigError(*faults)


def _check_package(flags: list[tuple[str, str | None]], overrides: Sequence[str], folders: list[str]) -> None:
    """Refuse `--cfg job --package NAME` where the config has no such node."""
    package = next((value for flag, value in flags if flag in ("--package", "-p")), None)
    if not package or package == "_global_" or ("job" not in [value for _, value in flags]):
        return
    node: Any = OmegaConf.to_container(train.composed(overrides, folders, sweep=None).cfg, resolve=False)
    for part in package.split("."):
        if not isinstance(node, dict) or part not in node:
            known = map(str, node) if isinstance(node, dict) else ()
            raise ConfigError(fault("--package", package, "no such node", suggestion(part, known)))
        node = node[part]
