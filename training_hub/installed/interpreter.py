"""The Python that a worker runs under, and what is installed there; looked at from here, importing nothing of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from training_hub.errors import ConfigError, fault
from training_hub.installed import trust

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST = (3, 11)  # that the workers' code runs on
_START = Path(__file__).parents[1] / "start.py"
_VERSION = re.compile(r"^Version: *(\S+)", re.MULTILINE)
_QUESTION = "import json, sys; print(json.dumps([sys.version_info[:2], sys.path]))"


@dataclass(frozen=True)
class Interpreter:
    """A Python. version: major and minor; search_path: the folders that its packages are found in."""

    version: tuple[int, int]
    search_path: tuple[str, ...]

    def version_of(self, distribution: str) -> str | None:
        """The installed version of a distribution, None where it is missing."""
        found = next(iter(metadata.distributions(name=distribution, path=list(self.search_path))), None)
        text = (found.read_text("METADATA") or found.read_text("PKG-INFO") or "") if found else ""
        version = _VERSION.search(text)  # parsing all of it as the mail that it is takes milliseconds
        return version[1] if version else None


def look_at(python: str | None) -> Interpreter:
    """The interpreter of that path or name; None: the one that runs this program.

    ConfigError where it is none, or may not be run.
    """
    if python is None or trust.is_own(python):
        return Interpreter(sys.version_info[:2], tuple(sys.path))
    trust.refuse_python(python)
    return _asked(python, os.environ.get("PYTHONPATH"))


def running(python: str | None, module: str) -> list[str]:
    """The command that calls `main` of one of this package's modules under an interpreter; arguments may follow.

    Another interpreter gets this package and nothing that lies beside it: `start.py` says how.
    """
    if python is None or trust.is_own(python):
        return [sys.executable, "-m", module]
    trust.refuse_python(python)
    return [python, str(_START), module]


def too_old(python: str | None) -> list[str]:
    """One fault where the workers' code does not run on an interpreter."""
    version, oldest = (".".join(map(str, each)) for each in (look_at(python).version, OLDEST))
    if look_at(python).version >= OLDEST:
        return []
    return [fault("backend.python", python, f"is Python {version}, the worker needs {oldest} or newer")]


def missing_requirements(requires: Sequence[str], python: str | None = None) -> list[str]:
    """Requirements that an interpreter's environment does not meet, with what is there: `trl>=1.16 (0.9 is here)`."""
    wanted = [_requirement(text) for text in requires]
    installed = versions([each.name for each in wanted], python)
    missing = []
    for each in wanted:
        version = installed[each.name]
        if version is None:
            missing.append(str(each))
        elif not each.specifier.contains(version, prereleases=True):
            missing.append(f"{each} ({version} is installed)")
    return missing


def _requirement(text: object) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(str(text))
    except InvalidRequirement:
        way = "write NAME or 'NAME>=VERSION'"
        raise ConfigError(fault("backend.requires", text, "not the name of a package", way)) from None


def install_command(missing: Sequence[str], python: str | None) -> str:
    """What to type to install requirements, as missing_requirements gives them."""
    wanted = " ".join(f"'{text.partition(' (')[0]}'" for text in missing)
    if python is None:
        return f"pip install {wanted}"
    if missing_requirements(["pip"], python):  # uv makes environments without it
        return f"uv pip install --python {python} {wanted}"
    return f"{python} -m pip install {wanted}"


def versions(names: Sequence[str], python: str | None = None) -> dict[str, str | None]:
    """Installed versions by distribution name, None where missing. ConfigError where python does not answer.

    python: another environment's interpreter.
    """
    interpreter = look_at(python)
    return {name: interpreter.version_of(name) for name in names}


@lru_cache(maxsize=16)
def _asked(python: str, _pythonpath: str | None) -> Interpreter:
    """A new process costs 30 ms; what is installed is read anew each time, by the folders that it names."""
    try:
        done = subprocess.run(
            [python, "-c", _QUESTION], capture_output=True, text=True, check=True, timeout=60, stdin=subprocess.DEVNULL
        )
        (major, minor), folders = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        raise ConfigError(
            fault("backend.python", python, "no such interpreter", "give the path of a python executable")
        ) from None
    return Interpreter((major, minor), tuple(folders))
