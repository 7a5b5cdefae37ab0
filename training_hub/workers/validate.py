"""Prepare the data of a run and show it. Reads {"model", "data", "rows", "plot"} as JSON from standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from training_hub.data.notes import warnings
from training_hub.data.prepare import prepare
from training_hub.data.rows import PreferenceRows, TokenRows
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
            show(console, tokenizer, name, rows, prepared.report[name], request["rows"])
    if request["plot"]:
        draw(prepared.train, Path(request["plot"]))
        console.print(f"\nlengths drawn to {request['plot']}", markup=False)


def show(
    console: Console, tokenizer: Any, name: str, rows: TokenRows | PreferenceRows, report: dict[str, Any], first: int
) -> None:
    """Counts, lengths and first rows of one part."""
    console.print(Text.assemble((name, "bold"), harmless(f"  {report['path']}  ({report['format']})")))
    counts = {key: report[key] for key in ("rows_read", "rows_kept", "truncated", "rows", "tokens", "trained_tokens")}
    counts |= {f"dropped: {reason}": number for reason, number in report["dropped"].items()}
    for key, number in counts.items():
        console.print(f"  {harmless(key.replace('_', ' ')):<24}{number:>12,}")
    console.print(histogram(rows.lengths), style="cyan")
    for number in range(min(first, len(rows))):
        like_this = "[bold green]like this[/bold green]" if console.is_terminal else r"\[like this]"
        console.print(f"\n[bold]row {number + 1}[/bold]  trained tokens {like_this}")
        parts = rows[number]
        if len(parts) == 2:
            console.print(render(tokenizer, parts[0], parts[1], brackets=not console.is_terminal))
        else:
            for label, ids in zip(("prompt", "chosen", "rejected"), parts, strict=True):
                console.print(Text.assemble((label, "bold"), " ", harmless(tokenizer.decode(ids.tolist()))))
    console.print()


def draw(rows: TokenRows | PreferenceRows, path: Path) -> None:
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
