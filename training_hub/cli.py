"""The command line: a verb, then what it takes. Every verb declares itself: see `command_line/verb.py`."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from training_hub import telemetry, terminal, user
from training_hub.command_line import finding, flags
from training_hub.command_line.refusals import refuse_for
from training_hub.command_line.verb import Call, Verb
from training_hub.errors import ConfigError, HubError

_DEBUG = "TRAINING_HUB_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Its exit status: 0; 1 the run failed; 2 wrong input; 75 or 130 stopped; 70 a bug of ours."""
    telemetry.switch_off(os.environ)
    user.complete(os.environ)
    words = list(sys.argv[1:] if arguments is None else arguments)
    with terminal.guarded() as lost, _debugging("--debug" in words):
        status = _status_of(words)
    return status or _of_lost_output(words, lost)


@contextmanager
def _debugging(asked: bool) -> Iterator[None]:
    """Have the processes that a verb starts show tracebacks too, where the flag asks for it."""
    before = os.environ.get(_DEBUG)
    if asked:
        os.environ[_DEBUG] = "1"
    try:
        yield
    finally:
        if asked:
            os.environ.pop(_DEBUG) if before is None else os.environ.update({_DEBUG: before})


def _of_lost_output(words: Sequence[str], lost: Sequence[OSError]) -> int:
    """1 where what a verb had to say could not be written; whoever trains, or has read enough, needs none of it."""
    if not lost or isinstance(lost[0], BrokenPipeError):
        return 0
    if finding.load(flags.split(words).verb or finding.DEFAULT).trains:
        return 0
    terminal.complain(f"standard output: {lost[0].strerror}; give it another file")
    return 1


def _status_of(words: Sequence[str]) -> int:
    debug = os.environ.get(_DEBUG, "0") not in ("", "0")
    try:
        return dispatch([word for word in words if word != "--debug"])
    except HubError as error:
        if debug:
            traceback.print_exc()  # it ends with the message
        else:
            print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from training_hub import unexpected

        if debug:
            traceback.print_exc()
        print(unexpected.said_of(error, ["training_hub", *words]), file=sys.stderr)
        return unexpected.EXIT_STATUS


def dispatch(words: Sequence[str]) -> int:
    """Find the verb and run it; returns the exit status. HubError as the verb raises it."""
    if not words:
        from training_hub.command_line.help import short

        print(short(), file=sys.stderr)
        return 2
    line = flags.split(words)
    name = line.verb or finding.DEFAULT
    verb = finding.load(name)
    if line.has("--version"):
        from training_hub import __version__

        print(__version__)
        return 0
    if line.has("--help", "-h"):
        from training_hub.command_line.help import text_of

        print(text_of(line))
        return 0
    return _run(name, verb, line)


def _run(name: str, verb: Verb, line: flags.Line) -> int:
    refuse_for(verb, name, line)
    if line.shows:
        from training_hub.command_line.hydra_flags import hand_to_hydra

        return hand_to_hydra(line.flags, line.words, line.config_dirs)
    from training_hub.command_line.settings import call_of

    return _call(verb, call_of(name, verb, line))


def _call(verb: Verb, call: Call) -> int:
    """Run a verb: for one run, or for those of a sweep that a file declares."""
    try:
        return verb.run(call)
    except ConfigError as error:
        from training_hub.config.hydras import SweepDeclared

        if not verb.sweeps or not isinstance(error, SweepDeclared):
            raise
    return verb.run(replace(call, sweep=True))
