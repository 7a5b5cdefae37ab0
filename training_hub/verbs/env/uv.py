"""uv, the program that makes environments: found, told what pip is told, run."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress

from training_hub.errors import ConfigError, HubError

# What uv calls pip's settings. It does not read pip's files itself.
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
_SECTIONS = ("global", "install", ":env:")  # the later one counts
_COMMAS = ("UV_FIND_LINKS",)  # lists that uv parts by commas, and pip by spaces


def find() -> str:
    """The path of uv: the package's, or the one on PATH. ConfigError where there is none."""
    with suppress(ImportError, FileNotFoundError):
        from uv import find_uv_bin

        return str(find_uv_bin())
    if found := shutil.which("uv"):
        return found
    raise ConfigError("env create: needs uv, which is not installed; pip install uv")


def run(uv: str, *arguments: str, told: Mapping[str, str]) -> None:
    """Run uv and show what it says while it works. HubError with its reason in one line.

    told: variables of its environment, those that it has already win.
    """
    env = {**told, **os.environ}
    command = [uv, *arguments]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as process:
        try:
            reasons = _shown(process.stderr or ())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise HubError(f"uv {arguments[0]}: {_in_one_line(reasons) or f'ended with exit status {process.returncode}'}")


def _shown(lines: Iterable[str]) -> list[str]:
    """Print lines as they come, up to the error; returns the lines of that."""
    reasons: list[str] = []
    for line in lines:
        if reasons or line.startswith("error:"):
            reasons.append(line.strip())
        else:
            print(line, end="", file=sys.stderr, flush=True)
    return reasons


def _in_one_line(reasons: list[str]) -> str:
    """The error, its first and its last cause, of what may be a long chain."""
    causes = [text.removeprefix("cause: ") for text in reasons if text.startswith("cause: ")]
    told = [text.removeprefix("error: ") for text in reasons[:1]] + causes[:1] + causes[-1:]
    return ": ".join(dict.fromkeys(told))


def told_by_pip() -> dict[str, str]:
    """Where pip is told to look for packages, as variables of uv's; {} where there is no pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    found = translated(done.stdout)
    if "UV_INDEX_URL" in os.environ:  # an older name of the same
        found.pop("UV_DEFAULT_INDEX", None)
    return found


def translated(pip_config: str) -> dict[str, str]:
    """The variables for what `pip config list` prints: `global.index-url='...'`, one setting a line."""
    settings: dict[str, str] = {}
    lines = [line.partition("=") for line in pip_config.splitlines()]
    for section in _SECTIONS:
        for key, _, value in lines:
            if key.rpartition(".")[0] == section:
                settings[key.rpartition(".")[2]] = str(ast.literal_eval(value))
    found = {_VARIABLES[key]: " ".join(value.split()) for key, value in settings.items() if key in _VARIABLES}
    found |= {name: found[name].replace(" ", ",") for name in _COMMAS if name in found}
    if "UV_EXTRA_INDEX_URL" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best of all indexes, uv that of the first
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        found["UV_NO_INDEX"] = "1"
    return found
