"""`report`: one page about runs, in a file that needs nothing else."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Flag, Verb, Word
from training_hub.params import Checked, Text, param


class ReportSettings(Checked):
    """The settings of `report`."""

    output_path: Text | None = param("the page to write; null: report.html in the first DIR", default=None)
    watch: bool = param("serve the page on this machine and update it, like --watch", default=False)
    port: int = param("port on 127.0.0.1 for --watch; 0: any free port", default=8765, ge=0, le=65535)


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
