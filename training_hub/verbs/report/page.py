"""The page: one HTML document that needs nothing else, neither files beside it nor a network."""

from __future__ import annotations

import base64
import gzip
import secrets
import time
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training_hub.results.progress import duration
from training_hub.verbs.report.differ import NONE
from training_hub.verbs.report.environment import facts
from training_hub.verbs.report.findings import findings
from training_hub.verbs.report.gather import Report, Told

_ASSETS = Path(__file__).with_name("assets")
_MOST_ANSWERS = 8  # runs whose answers are shown, the best ones
_COLUMNS = 6  # settings in the table of runs; the rest is in that of the settings


def page(report: Report, live: bool = False) -> str:
    """The document. live: served, it asks the server for what is new."""
    return _render(report, live=live, plotly=_plotly())


def part(report: Report) -> str:
    """The document without its libraries: what a page that is open takes the news from."""
    return _render(report, live=True, plotly="")


def _render(report: Report, live: bool, plotly: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "duration": lambda s: "" if s is None else duration(s), "yaml": _yaml}
    told = facts({report.short(run): run.manifest for run in report.runs if run.manifest})
    return environment.get_template("page.html.jinja").render(
        report=report,
        runs=report.runs,
        columns=_columns(report),
        numbers=list(dict.fromkeys(name for run in report.runs for name in run.numbers)),
        facts=told,
        findings=findings(report, told),
        answers=_answers(report.runs[:_MOST_ANSWERS]),
        data=_data(report),
        made=time.strftime("%Y-%m-%d %H:%M:%S"),
        going=sum(run.state.goes_on for run in report.runs),
        live=live,
        plotly=plotly,
        nonce=secrets.token_urlsafe(16),
        style=(_ASSETS / "page.css").read_text(encoding="utf-8"),
        scripts=[(_ASSETS / name).read_text(encoding="utf-8") for name in ("charts.js", "page.js")],
    )


@cache
def _plotly() -> str:
    """The plotting library, packed: as it is it has 4.8 MB, as text in the page 1.9 MB."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _data(report: Report) -> dict[str, Any]:
    """What the charts are drawn from."""
    runs = [
        {
            "name": run.name,
            "number": run.number,
            "curves": run.curves,
            "settings": run.settings,
            "objective": run.objective,
        }
        for run in report.runs
    ]
    ranking = {"name": report.ranking.metric or "loss", "mode": report.ranking.mode}
    return {"runs": runs, "settings": report.settings, "further": report.further, "ranking": ranking}


def _columns(report: Report) -> list[str]:
    """The settings in the table of runs: those that all of them have."""
    begun = [run.settings for run in report.runs if run.settings]
    return [name for name in report.settings if all(each.get(name) != NONE for each in begun)][:_COLUMNS]


def _answers(runs: list[Told]) -> dict[str, list[tuple[str, str]]]:
    """For each prompt who answered what: the models as they were, where they differ, then each run's."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for when in ("before", "after"):
        for run in runs:
            for sample in (each for each in run.samples if each["when"] == when):
                answers = found.setdefault(sample["prompt"], {})
                answers.setdefault((f"{when} training", sample["answer"]), []).append(run.name)
    return {
        prompt: [(when + _whose(names, len(runs)), answer) for (when, answer), names in answers.items()]
        for prompt, answers in found.items()
    }


def _whose(names: list[str], of: int) -> str:
    return f": {', '.join(names)}" if len(names) < of else ""


def _number(value: float | None, form: str = ".4f") -> str:
    return "" if value is None else f"{value:{form}}"


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
