"""What reaches standard output and standard error: harmless, without secrets, and never a reason to end.

What is shown comes from files, users, models and libraries as well. A terminal obeys what it finds in it: escape
sequences move the cursor, set its title or its clipboard, and make links; controls of direction reorder a line.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

from training_hub.redaction import redacted

# Controls but for tab and line feed, C1, marks and controls of direction, line ends of Unicode's, surrogates, tags.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC and the like: title, links
    r"|\x1b[ -/]*[0-Z\\^-~]"
)


_QUIET = ContextVar("quiet", default=False)


def harmless(text: str) -> str:
    """A text with what a terminal would obey written out, as Python writes it; tabs and line feeds stay."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def readable(log: str) -> str:
    """A log as a terminal would have left it, in plain text: no colours, and of a redrawn bar its last state."""
    lines = _SEQUENCE.sub("", log).replace("\r\n", "\n").split("\n")
    return harmless("\n".join(_last_state(line) for line in lines))


def _last_state(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


@contextmanager
def quiet(quietly: bool = True) -> Iterator[None]:
    """Say nothing while the block lasts, in this thread alone."""
    before = _QUIET.set(quietly)
    try:
        yield
    finally:
        _QUIET.reset(before)


def say(text: str) -> None:
    """Print on standard output at once, but for `quiet`; where nothing can be written, the program goes on unseen."""
    if not _QUIET.get():
        _write(sys.stdout, f"{shown(text)}\n")


def complain(text: str) -> None:
    """Print on standard error, as `say` does."""
    _write(sys.stderr, f"{shown(text)}\n")


def shown(text: str) -> str:
    """A text as it may be shown: harmless, and without secrets."""
    return harmless(redacted(text))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees it; standard output is None where it was closed from the start."""
    return stream is not None and stream.isatty()


@contextmanager
def guarded() -> Iterator[list[OSError]]:
    """Standard output and error show what is harmless, and fail nobody, while the block lasts.

    Yields what has gone wrong with standard output.

    Descriptors that were closed are opened to nowhere: a file of a run would get their number, and what is printed.
    """
    _open_missing()
    before = sys.stdout, sys.stderr
    lost: list[OSError] = []
    out, err = (each or _nowhere() for each in before)
    sys.stdout, sys.stderr = Guarded(out, shown, lost), Guarded(err, shown, [])
    try:
        yield lost
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
        for opened in {out, err} - set(before):
            opened.close()


def drawn_on(stream: TextIO) -> TextIO:
    """The stream for whoever draws with escape sequences of its own, such as rich; it fails nobody either."""
    inner = stream.stream if isinstance(stream, Guarded) else stream
    return Guarded(inner, str, [])  # type: ignore[return-value]


class Guarded:
    """A stream that gets what `made` makes of each text; once it cannot be written, the rest goes nowhere."""

    def __init__(self, stream: TextIO, made: Callable[[str], str], lost: list[OSError]) -> None:
        self.stream, self._made, self._lost = stream, made, lost

    def write(self, text: str) -> int:
        """Write what is made of the text."""
        if error := _write(self.stream, self._made(text), flush=False):
            self._lost.append(error)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Flush, or lose what was not written."""
        if error := _write(self.stream, ""):
            self._lost.append(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _write(stream: TextIO | None, text: str, flush: bool = True) -> OSError | None:
    if stream is None:
        return None
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        if flush:
            stream.flush()
    except OSError as error:  # its reader has gone, as `head` goes; the disk is full; the terminal has hung up
        _give_up(stream)
        return error
    except ValueError:  # somebody closed it
        pass
    return None


def _give_up(stream: TextIO) -> None:
    """Send all that follows, and what is still kept, to nowhere."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _open_missing() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  it lasts as long as the program
