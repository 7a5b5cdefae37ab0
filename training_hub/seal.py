"""Recognise what this user wrote here: digests with a key that lies in the user's own state folder alone.

A folder lists them in its file `.seal`, one for each content that was ever written to one of its files. They are added
before the file is: whatever dies whenever, what lies there is known. It imports the standard library alone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NAME = ".seal"
_KEY_BYTES = 32
_PATIENCE_S = 1.0  # another process is writing the key


def seal(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Sign contents, by the names of their files. Without a key nothing is signed, and nothing fails."""
    key = _key(create=True)
    known = _listed(folder)
    new = {digest for name, content in contents.items() if key and (digest := _digest(key, name, content)) not in known}
    if new:
        with (folder / NAME).open("a") as file:
            file.write("".join(f"\n{digest}" for digest in sorted(new)) + "\n")  # the line before may be torn


def is_sealed(folder: Path, contents: Mapping[str, bytes]) -> bool:
    """Whether this user signed all of that in this folder, wherever the folder lies now."""
    key = _key(create=False)
    known = _listed(folder)
    return key is not None and all(_digest(key, name, content) in known for name, content in contents.items())


def _digest(key: bytes, name: str, content: bytes) -> str:
    return hmac.new(key, name.encode("utf-8", "surrogateescape") + b"\0" + content, hashlib.sha256).hexdigest()


def _listed(folder: Path) -> set[str]:
    with suppress(OSError, ValueError):
        return set((folder / NAME).read_text().split())
    return set()


def _key(create: bool) -> bytes | None:
    """The user's key; None where there is none and none can be made, or where others could have read it."""
    try:
        file = _state_folder() / "key"
        if create and not file.exists():
            _make(file)
        return _read(file)
    except (OSError, RuntimeError):  # no home folder, not even in the list of users; or one that cannot be written
        return None


def _state_folder() -> Path:
    """`training_hub` in $XDG_STATE_HOME, else in ~/.local/state: on a cluster, one for all its machines."""
    given = os.environ.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".local" / "state") / "training_hub"


def _make(file: Path) -> None:
    """Write a new key; of several processes that do at once, one succeeds, and all read that one's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".key.{secrets.token_hex(8)}")
    try:
        _write(unfinished)
        try:
            os.link(unfinished, file)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            with suppress(FileExistsError):
                _write(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _write(file: Path) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(secrets.token_bytes(_KEY_BYTES))
        opened.flush()
        os.fsync(opened.fileno())


def _read(file: Path) -> bytes | None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            content = opened.read(_KEY_BYTES + 1)
        if found.st_mode & 0o077 or found.st_uid != os.geteuid():
            return None
        if len(content) == _KEY_BYTES:
            return content
        if len(content) > _KEY_BYTES or time.monotonic() > until:
            return None
        time.sleep(0.01)
