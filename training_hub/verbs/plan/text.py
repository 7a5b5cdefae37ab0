"""`plan`: everything that train would do, as text. Nothing is run and nothing is written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import yaml

from training_hub import catalogue, resume, train
from training_hub.machine import hardware
from training_hub.run import RunDir


def plan_text(overrides: Sequence[str], folders: Sequence[str] = ()) -> str:
    """The resolved config, the worker's command, the run directory and the environment. ConfigError as train would."""
    composition = train.composed(overrides, folders)
    catalogue.refuse_python_made(composition)
    planned = train.plan(composition)
    script = planned.launcher.plan([planned.spec], RunDir(planned.spec.run_dir).submitted)
    return text_of(planned, script)


def text_of(planned: train.Plan, script: str = "") -> str:
    """A plan as text. script: what else the launcher would be given."""
    spec, choices = planned.spec, planned.composition.choices
    lines = [f"# {choices['algorithm']} on {choices['backend']}, launcher {choices['launcher']}", ""]
    lines += ["run directory", f"  {spec.run_dir}  ({hardware.free_disk_gb(spec.run_dir):.1f} GB free)"]
    lines += [f"  {planned.start.text(RunDir(spec.run_dir))}"] * (planned.start != resume.NEW) + [""]
    lines += ["warnings", *(f"  {text}" for text in planned.warnings), ""] if planned.warnings else []
    lines += ["environment", *(f"  {name}={value}" for name, value in spec.env.items()), ""]
    lines += ["command", *(f"  {shlex.join(command)}" for command in spec.commands), ""]
    if script:
        lines += ["script", *(f"  {line}".rstrip() for line in script.splitlines()), ""]
    config = yaml.safe_dump(planned.config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return "\n".join([*lines, "config", *(f"  {line}" for line in config.splitlines())])
