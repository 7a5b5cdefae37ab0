"""The errors of the project.

    HubError
    ├── ConfigError (ValueError)          the user's setting is wrong; nothing has started     exit status 2
    ├── RunFailed (RuntimeError)          a run started and failed                             exit status 1 or 2
    └── RunInterrupted                    a run stopped before its end                         exit status 75 or 130

Every message is one line per fault: what was typed, "=", its value, ":", the rule, ";", the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from training_hub.redaction import redacted
from training_hub.terminal import harmless, shown

EXIT_INTERRUPTED = 75  # stopped with its state saved: the same command with resume=auto resumes it
EXIT_CTRL_C = 130  # stopped at once

_FEW = 5
_MOST_TOLD = 50
_LONGEST_NAME = 100
_LONGEST = 300  # characters of a value


class HubError(Exception):
    """Base of every error that the project raises on purpose. Its message holds no secret, whatever was typed."""

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class ConfigError(HubError, ValueError):
    """One or more settings are wrong; nothing has been started or written.

    `faults` holds one line for each fault, so that all of them are reported together; of many, the
    message has the first.
    """

    exit_status = 2

    def __init__(self, *faults: str) -> None:
        self.faults = tuple(printable(redacted(text)) for text in faults)
        more = len(faults) - _MOST_TOLD
        super().__init__("\n".join([*self.faults[:_MOST_TOLD], *([f"... and {more:,} more"] if more > 0 else [])]))


class RunFailed(HubError, RuntimeError):
    """A run started and failed: 2 where a setting was wrong after all, else 1 and the last lines of its log."""

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class RunInterrupted(HubError):
    """A run stopped before its end: 130 after Ctrl-C, 75 where it saved its state and can go on."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def fault(name: str, value: object, rule: str, way_out: str = "") -> str:
    """Put one fault into the project's grammar: `name=value: rule; way out`."""
    return f"{name}={shown_value(value)}: {rule}" + (f"; {way_out}" if way_out else "")


def merged(faults: Iterable[str]) -> list[str]:
    """Each fault once, and one line for the values of a key that break the same rule: `lr=-1,-2: must be ...`."""
    values: dict[tuple[str, str], dict[str, None]] = {}
    for text in faults:
        written, colon, rule = text.partition(": ")
        name, equals, value = written.partition("=")
        values.setdefault((name + equals, colon + rule), {})[value] = None
    return [f"{name}{_few(list(found))}{rule}" for (name, rule), found in values.items()]


def _few(values: Sequence[str]) -> str:
    more = len(values) - _FEW
    return ",".join(values[:_FEW]) + (f",... ({more} more)" if more > 0 else "")


def ruined(weight: str, step: int) -> str:
    """What is said of weights that training has left without a number."""
    return f"{weight}: holds NaN or infinity after step {step}, so the model is not saved; lower lr or weight_decay"


def shown_value(value: object) -> str:
    """A value as it is typed; a long one without its middle, and none with a part of a secret."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else redacted(str(value))
    cut = len(text) - _LONGEST
    return text if cut <= 0 else f"{text[: _LONGEST - 40]}...({cut:,} more)...{text[-40:]}"


def printable(text: str) -> str:
    """A text as one harmless line; what is not printable, such as a terminal's escape sequence, as Python writes it."""
    return harmless(text).replace("\n", "\\n").replace("\t", "\\t")


def subject(text: str) -> str:
    """The top-level key that a fault speaks of: `model.dtpye=x: ...` -> `model`."""
    return text.partition("=")[0].partition(":")[0].partition(".")[0]


def enumerate_names(names: Iterable[str]) -> str:
    """Join names for a sentence: `a, b, c`."""
    return ", ".join(names)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelled one most likely means, None where nothing is close."""
    if len(name) > _LONGEST_NAME:  # comparing takes long, and nobody misspells so much
        return None
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.62)), None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or nothing."""
    close = nearest(name, known)
    return f"did you mean {close}?" if close else ""
