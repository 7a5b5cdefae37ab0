"""The verbs for runs that are there: they take folders and flags of their own, no settings."""

from __future__ import annotations

from collections.abc import Sequence

from training_hub.errors import ConfigError, fault, suggestion
from training_hub.verbs.cancel.stop import cancel
from training_hub.verbs.logs.tail import logs
from training_hub.verbs.status.states import status

_LINES = 30
_FLAGS = {"status": (), "cancel": ("--now",), "logs": ("--follow", "-f", "--lines", "-n")}


def main(verb: str, words: Sequence[str]) -> int:
    """Run `status`, `cancel` or `logs`; returns the exit status."""
    folders, flags = split(verb, words)
    if verb == "status":
        print(status(folders))
    elif verb == "cancel":
        print("\n".join(cancel(folders, now="--now" in flags)))
    else:
        flag = "--lines" if "--lines" in flags else "-n"
        lines = flags.get(flag, str(_LINES))
        if not lines.isdecimal():
            raise ConfigError(fault(flag, lines, "must be a number of lines, 0 or more"))
        logs(folders, int(lines), follow=not flags.keys().isdisjoint(("--follow", "-f")))
    return 0


def split(verb: str, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Folders, and flags with their values."""
    folders, flags, left = [], {}, list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            folders.append(word)
        elif name not in _FLAGS[verb]:
            way = suggestion(name, _FLAGS[verb]) or "see --help"
            raise ConfigError(f"{word}: {verb} has no such flag; {way}")
        elif name in ("--lines", "-n"):
            flags[name] = value if equals else left.pop(0) if left else ""
        else:
            flags[name] = ""
    return folders, flags
