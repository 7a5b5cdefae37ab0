"""Let a process of its own do what needs a model's libraries: the request goes to its standard input as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from training_hub import telemetry, unexpected, user
from training_hub.errors import ConfigError, RunFailed
from training_hub.installed import trust
from training_hub.installed.interpreter import running


def ask(module: str, request: Mapping[str, Any], python: str | None) -> int:
    """Run one of this package's modules; returns its exit status. python: null: the interpreter of this program.

    Ctrl-C reaches the process too: it cleans up before this one ends.
    """
    env = _environment(request)
    with subprocess.Popen(running(python, module), stdin=subprocess.PIPE, text=True, env=env) as asked:
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
        running(python, module), stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=_environment(request)
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


def _environment(request: Sequence[Any] | Mapping[str, Any]) -> dict[str, str]:
    """This process's, and the packages whose code the configs of a request may name."""
    environment = dict(os.environ)
    telemetry.switch_off(environment)
    user.complete(environment)
    configs = [request] if isinstance(request, Mapping) else [each for each in request if isinstance(each, Mapping)]
    return environment | trust.for_workers(name for each in configs for name in trust.imported(each))
