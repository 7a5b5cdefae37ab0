"""Prepare the data of a run and show it. Reads {"model", "data", "rows", "plot"} as JSON from standard input."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from training_hub.data.formats.base import Format
from training_hub.data.notes import warnings
from training_hub.data.prepare import prepare
from training_hub.data.recognise import Formats
from training_hub.data.rows import Rows
from training_hub.data.show import histogram, render
from training_hub.terminal import drawn_on, harmless
from training_hub.unexpected import status_of
from training_hub.workers.tokenizer import load as load_tokenizer


def main() -> int:
    """Show; returns 0, or 2 where the data is wrong; 70 for a bug."""
    return status_of(_show_all)


def _show_all() -> None:
    request = json.load(sys.stdin)
    model, data = request["model"], request["data"]
    tokenizer = load_tokenizer(model, data["chat_template"])
    prepared = prepare(tokenizer, data)
    console = Console(highlight=False, soft_wrap=True, file=drawn_on(sys.stdout))
    for text in warnings(prepared.report):
        console.print(harmless(f"warning: {text}"), markup=False)
    for name, rows in (("train", prepared.train), ("eval", prepared.eval)):
        if rows is not None:
            report = prepared.report[name]
            form = Formats(data).every[report["format"]]
            counts(console, name, rows, report)
            show(console, tokenizer, form, rows, request["rows"])
    if request["plot"]:
        draw(prepared.train, Path(request["plot"]))
        console.print(f"\nlengths drawn to {request['plot']}", markup=False)


def counts(console: Console, name: str, rows: Rows, report: dict[str, Any]) -> None:
    """Counts and lengths of one part."""
    console.print(Text.assemble((name, "bold"), harmless(f"  {report['path']}  ({report['format']})")))
    found = {key: report[key] for key in ("rows_read", "rows_kept", "truncated", "rows", "tokens", "trained_tokens")}
    found |= {f"dropped: {reason}": number for reason, number in report["dropped"].items()}
    for key, number in found.items():
        console.print(f"  {harmless(key.replace('_', ' ')):<24}{number:>12,}")
    console.print(histogram(rows.lengths), style="cyan")


def show(console: Console, tokenizer: Any, form: Format, rows: Rows, first: int) -> None:
    """The first rows of one part."""
    like_this = "[bold green]like this[/bold green]" if console.is_terminal else r"\[like this]"
    legend = f"  trained tokens {like_this}" if form.is_trained else ""
    draw_tokens = partial(render, tokenizer, brackets=not console.is_terminal)
    for number in range(min(first, len(rows))):
        console.print(f"\n[bold]row {number + 1}[/bold]{legend}")
        for heading, text in form.shown(rows, number, draw_tokens):
            begin = ((harmless(heading), "bold"), " ") if heading else ()
            console.print(Text.assemble(*begin, harmless(text) if isinstance(text, str) else text))
    console.print()


def draw(rows: Rows, path: Path) -> None:
    """A histogram of the row lengths as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(rows.lengths, bins=40, color="#1f77b4")
    axes.set_xlabel("tokens in a row")
    axes.set_ylabel("rows")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
