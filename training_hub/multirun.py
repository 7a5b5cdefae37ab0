"""Hydra's own flags: -m, --cfg, --info, completion. Everything is checked by us first, then Hydra takes over."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from training_hub import catalogue, train
from training_hub.config import resolvers
from training_hub.config.check import check
from training_hub.config.choices import CONF, ROOT
from training_hub.config.compose import rewritten
from training_hub.errors import ConfigError, HubError, RunInterrupted, fault, suggestion
from training_hub.params import Params, aliases

_MULTIRUN = {"-m", "--multirun"}


def hand_to_hydra(flags: list[tuple[str, str | None]], overrides: list[str], folders: list[str]) -> int:
    """Run Hydra's application; returns the exit status, for a multirun the worst one of its jobs."""
    names = {flag for flag, _ in flags}
    failures: list[int] = []
    if names & _MULTIRUN:
        _check_all(overrides, folders)
    elif names & {"--cfg", "-c"}:
        _check_names(overrides, folders)
        _check_package(flags, overrides, folders)
    if names & {"-sc", "--shell-completion"}:
        _hide_verb()
    elif overrides:
        overrides = rewritten(overrides, aliases(Params))
    # Flags first: Hydra 1.3 refuses overrides on both sides of one.
    sys.argv = [sys.argv[0], *(word for flag in flags for word in flag if word is not None), *overrides]
    resolvers.register()

    @hydra.main(config_path=str(CONF), config_name=ROOT, version_base="1.3")
    def job(cfg: DictConfig) -> Any:
        status = _job(folders)
        if status:
            failures.append(status)

    job()
    return max(failures, default=0)


def _hide_verb() -> None:
    """Completion reads the line being typed: take a verb out of it, which Hydra would take for an override."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) > 2 and words[1].isalpha():
        del words[1]
        os.environ["COMP_LINE"] = " ".join(words)


def _job(folders: list[str]) -> int:
    """One job of a multirun. Its failure is printed and remembered, and stops no other job; its end by Ctrl-C does."""
    settings = HydraConfig.get()
    overrides = list(settings.overrides.task)
    if not _names_output(overrides):
        overrides.append(f"output_dir={settings.runtime.output_dir!r}")
    try:
        train.run(train.plan(train.composed(overrides, folders)), sys.argv)
    except RunInterrupted as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(error.exit_status) from None  # Hydra would keep any other error, and start the next job
    except HubError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_status
    return 0


def _names_output(overrides: Sequence[str]) -> bool:
    return any(text.lstrip("+").startswith(("output_dir=", "ckpt_output_dir=")) for text in overrides)


def _check_all(overrides: Sequence[str], folders: list[str]) -> None:
    """Refuse a sweep before its first job where any of its jobs has a fault."""
    if any(text.startswith("hydra/sweeper=") and text != "hydra/sweeper=basic" for text in overrides):
        return  # the sweeper makes up the values as it goes; each job is checked when it starts
    faults: dict[str, None] = {}
    taken: set[str] = set()
    for job in jobs_of(overrides):
        try:
            run_dir = train.plan(train.composed(job, folders)).spec.run_dir
        except ConfigError as error:
            faults |= dict.fromkeys(error.faults)
            continue
        if _names_output(job) and run_dir in taken:
            faults[fault("output_dir", run_dir, "more than one job of the sweep would write there", "drop it")] = None
        taken.add(run_dir)
    if faults:
        raise ConfigError(*faults)


def jobs_of(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job of a sweep: all combinations of the values that are separated by commas."""
    own = [text for text in overrides if not text.startswith("hydra")]
    parsed = OverridesParser.create().parse_overrides(own)
    return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]


def _check_names(overrides: Sequence[str], folders: list[str]) -> None:
    """Refuse keys that do not exist; parameters may still be missing."""
    composition = train.composed(overrides, folders)
    if faults := check(composition, catalogue.schema_of(composition), allow_missing=True):
        raise ConfigError(*faults)


def _check_package(flags: list[tuple[str, str | None]], overrides: Sequence[str], folders: list[str]) -> None:
    """Refuse `--cfg job --package NAME` where the config has no such node."""
    package = next((value for flag, value in flags if flag in ("--package", "-p")), None)
    if not package or package == "_global_" or ("job" not in [value for _, value in flags]):
        return
    node: Any = OmegaConf.to_container(train.composed(overrides, folders).cfg, resolve=False)
    for part in package.split("."):
        if not isinstance(node, dict) or part not in node:
            known = map(str, node) if isinstance(node, dict) else ()
            raise ConfigError(fault("--package", package, "no such node", suggestion(part, known)))
        node = node[part]
