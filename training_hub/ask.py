"""Let a process of its own do what needs a model's libraries: the request goes to its standard input as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from training_hub import telemetry, unexpected, user
from training_hub.errors import ConfigError, RunFailed
from training_hub.installed.interpreter import running


def ask(module: str, request: Mapping[str, Any], python: str | None) -> int:
    """Run one of this package's modules; returns its exit status. python: null: the interpreter of this program.

    Ctrl-C reaches the process too: it cleans up before this one ends.
    """
    with subprocess.Popen(running(python, module), stdin=subprocess.PIPE, text=True, env=_environment()) as asked:
        try:
            asked.communicate(json.dumps(request))
        except KeyboardInterrupt:
            asked.wait()
            raise
    return asked.returncode


def answer(module: str, request: Sequence[Any] | Mapping[str, Any], python: str | None) -> Any:
    """What one of this package's modules prints as JSON. ConfigError or RunFailed with what it says where it fails."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        running(python, module), stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=_environment()
    ) as asked:
        try:
            printed, said = asked.communicate(json.dumps(request))
        except KeyboardInterrupt:
            asked.wait()
            raise
    if asked.returncode == ConfigError.exit_status:
        raise ConfigError(*said.strip().splitlines()[-1:])
    if asked.returncode == unexpected.EXIT_STATUS:
        raise RunFailed("".join(said.strip().splitlines()[-1:]), unexpected.EXIT_STATUS)
    if asked.returncode:
        raise RunFailed(f"{module}: failed\n" + "\n".join(said.strip().splitlines()[-12:]))
    return json.loads(printed)


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    telemetry.switch_off(environment)
    user.complete(environment)
    return environment
