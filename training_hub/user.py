"""Who runs this process, and a home for the caches of libraries: a container may have neither a name nor a home."""

from __future__ import annotations

import getpass
import os
import stat
import tempfile
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

_NAMES = ("LOGNAME", "USER")  # where getpass.getuser looks first
# What libraries write to a home of their user's -> its place in another one.
_CACHES = {
    "XDG_CACHE_HOME": ".cache", "MPLCONFIGDIR": ".config/matplotlib", "TRITON_HOME": ".", "NUMBA_CACHE_DIR": ".numba",
    "WANDB_CONFIG_DIR": ".config/wandb", "WANDB_DATA_DIR": ".local/share/wandb", "TRACKIO_DIR": ".cache/trackio",
}  # fmt: skip


def name() -> str:
    """The user's name, or the number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


def home() -> Path:
    """The home folder, or the one below the folder of temporary files where there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return _own_folder()


def complete(environment: MutableMapping[str, str]) -> None:
    """Give an environment what libraries take for granted, in place: a user's name, and a home that can be written.

    A home that is there but cannot be written is kept, since models and keys may lie in it; caches go elsewhere.
    """
    if not any(environment.get(each) for each in _NAMES):
        environment.update(dict.fromkeys(_NAMES, name()))
    with suppress(OSError):  # nowhere to write: then every library speaks for itself
        found = Path(environment.get("HOME") or home())
        if not found.is_dir():
            environment["HOME"] = str(_own_folder())
        elif not os.access(found, os.W_OK | os.X_OK):
            _keep_caches(environment, found)
        else:
            environment.setdefault("HOME", str(found))


def _keep_caches(environment: MutableMapping[str, str], unwritable: Path) -> None:
    folder, hub = _own_folder(), unwritable / ".cache" / "huggingface"
    if hub.is_dir() and not {"HF_HOME", "XDG_CACHE_HOME"} & environment.keys():
        environment["HF_HOME"] = str(hub)
    for variable, place in _CACHES.items():
        environment.setdefault(variable, str(folder / place))


def _own_folder() -> Path:
    """A folder that is this user's alone, the same each time unless somebody else has made it. OSError for none."""
    folder = Path(tempfile.gettempdir()) / f"training_hub-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return folder if is_own else Path(tempfile.mkdtemp(prefix="training_hub-"))
