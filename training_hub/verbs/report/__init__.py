"""`report`: one page about runs, in a file that needs nothing else."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Flag, Verb, Word
from training_hub.verbs.report.settings import ReportSettings


def run(call: Call) -> int:
    """Write the page, or serve it until Ctrl-C."""
    from training_hub.verbs.report.write import report

    return report(call.words, call.settings)


VERB = Verb(
    "write one page that compares runs; --watch: serve it while they run",
    run,
    section="during and after a run",
    words=(Word("DIR", "folders of runs or sweeps", several=True, completes="run"),),
    settings=ReportSettings,
    flags=(Flag(("--watch",), "serve the page and keep it up to date: watch=true", setting="watch=true"),),
)
