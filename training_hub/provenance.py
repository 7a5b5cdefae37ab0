"""What the manifest says of a run's origin: command, code, data, model, machine. Secrets are never among it."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from training_hub import user
from training_hub.machine import hardware
from training_hub.redaction import redacted

_HEAD_BYTES = 1 << 20
_NO_PROGRAMS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_ITS_OWN = ("local", "worktree")  # settings that come with a repository


def manifest(command: Sequence[str], config: Mapping[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    """The manifest that a run begins with; the worker adds what only it knows (versions, data report, resolved)."""
    return {
        "status": "created",
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": redacted(shlex.join(command)),
        "folder": str(Path.cwd()),
        "algorithm": choices["algorithm"],
        "backend": choices["backend"],
        "training_hub": metadata.version("training-hub") if _installed() else None,
        "python": platform.python_version(),
        "git": git_state(Path.cwd()),
        "model": fingerprint(Path(config["model"]["path"]).expanduser()),
        "data": fingerprint(Path(config["data"]["path"]).expanduser()),  # the worker tells more, once it has read them
        "machine": {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "user": user.name(),
            "system": platform.platform(),
            "cores": hardware.cores(),
            "memory_gb": round(hardware.memory_gb(), 1),
            "gpus": [gpu.name for gpu in hardware.gpus()],
        },
    }


def command_line() -> list[str]:
    """What the user typed to start this program."""
    script = Path(sys.argv[0]).name
    return [*([script] if script == "training-hub" else ["python", "-m", "training_hub"]), *sys.argv[1:]]


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether files were changed since; None outside a repository. Nothing that its settings name is run."""

    def git(*arguments: str, **env: str) -> str | None:
        command = ["git", "--no-optional-locks", *_NO_PROGRAMS, *arguments]
        environment = {**os.environ, "GIT_ALLOW_PROTOCOL": "none", **env}  # nor fetch what is missing
        done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit = git("rev-parse", "HEAD")
    except FileNotFoundError:
        return None
    filters = _without_filters(git("config", "--show-scope", "--name-only", "--get-regexp", r"^filter\.") or "")
    status = git("status", "--porcelain", "-uno", "--ignore-submodules=dirty", **filters)
    return {"commit": commit, "changed": status != ""} if commit else None


def _without_filters(settings: str) -> dict[str, str]:
    """The variables that empty a repository's own filters, as lines of scope and name; the user's own are kept."""
    names = [name for line in settings.splitlines() for scope, _, name in [line.partition("\t")] if scope in _ITS_OWN]
    begin = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    given = {f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(names, begin)}
    values = {f"GIT_CONFIG_VALUE_{begin + number}": "" for number in range(len(names))}
    return {"GIT_CONFIG_COUNT": str(begin + len(names)), **given, **values}


def fingerprint(path: Path) -> dict[str, Any] | None:
    """Size and hash of a file, or of a folder's files; None for what is not here, such as a hub id.

    Files over 64 MiB, model weights above all, count by size and their first and last MiB: reading them whole would
    cost more than the start of a run.
    """
    if not path.exists():
        return None
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode() if path.is_dir() else b"")
        digest.update(_content(file))
    return {
        "path": str(path.resolve()),
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": digest.hexdigest(),
    }


def _content(file: Path) -> bytes:
    size = file.stat().st_size
    if size <= 64 * _HEAD_BYTES:
        return hashlib.sha256(file.read_bytes()).digest()
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(-_HEAD_BYTES, 2)
        return hashlib.sha256(b"%d\0" % size + head + stream.read()).digest()


def _installed() -> bool:
    try:
        metadata.version("training-hub")
    except metadata.PackageNotFoundError:
        return False
    return True
