"""What nobody foresaw, in a command or a process of a tool: one line, and the traceback in a file of the user's own."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from training_hub.errors import EXIT_CTRL_C, HubError, printable
from training_hub.redaction import redacted
from training_hub.user import home

EXIT_STATUS = 70
_LONGEST = 200


def status_of(work: Callable[[], object]) -> int:
    """Do the work of a process; its exit status. What goes wrong is said on standard error: 130 after Ctrl-C."""
    try:
        work()
    except HubError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return EXIT_CTRL_C
    except Exception as error:
        if os.environ.get("TRAINING_HUB_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        print(said_of(error, sys.orig_argv[1:]), file=sys.stderr)
        return EXIT_STATUS
    return 0


def said_of(error: BaseException, words: Sequence[str]) -> str:
    """One line about a fault of the program itself. words: what was typed; its traceback is written to a file."""
    file = _written(_report(error, words))
    evidence = f"the traceback in {file}" if file else "what --debug shows"
    return f"{_named(error)}: a bug in training_hub; please report it with {evidence}"


def _named(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return printable(redacted(text))[:_LONGEST]


def _report(error: BaseException, words: Sequence[str]) -> str:
    told = "".join(traceback.format_exception(error))
    version = sys.modules[str(__package__)].__version__
    machine = f"training_hub {version}, Python {sys.version.split()[0]}, {platform.platform()}"
    return redacted(f"{machine}\n$ {shlex.join(words)}\n\n{told}")


def _written(text: str) -> Path | None:
    """A new file that only this user can read; None where no folder takes one."""
    for folder in _folders():
        with suppress(OSError, ValueError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(prefix="traceback-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return Path(name)
    return None


def _folders() -> Iterator[Path]:
    with suppress(OSError):
        yield Path(os.environ.get("XDG_STATE_HOME") or home() / ".local" / "state") / "training_hub"
    with suppress(OSError):
        yield Path(tempfile.gettempdir())
