"""`logs`: the end of a run's log."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Flag, Verb, Word

_LINES = "30"


def run(call: Call) -> int:
    """Print the end of each log, and with `-f` what follows."""
    from training_hub.errors import ConfigError, fault
    from training_hub.verbs.logs.tail import logs

    lines = call.flags.get("-n", _LINES)
    if not lines.isdecimal():
        raise ConfigError(fault("-n", lines, "must be a number of lines, 0 or more"))
    logs(call.words, int(lines), follow="-f" in call.flags)
    return 0


VERB = Verb(
    "show the end of a run's log; -f: follow it; -n 100: show so many lines",
    run,
    section="during and after a run",
    words=(Word("DIR", "folders of runs; none: the newest run", optional=True, several=True, completes="run"),),
    flags=(
        Flag(("-f", "--follow"), "follow the log until the run has ended"),
        Flag(("-n", "--lines"), f"how many lines to show, {_LINES} by default", value="N"),
    ),
)
