"""What was found, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training_hub.installed.interpreter import versions
from training_hub.machine import hardware

if TYPE_CHECKING:
    from cells import Settings

HEAD = ("algorithm", "backend", "losses of the first steps", "tokens/s", "memory GB", "utilisation", "s", "library's s")
LIBRARIES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "rhai-innovation-mini-trainer",
    "instructlab-training",
    "flash-attn",
)


def write(found: Sequence[dict[str, Any]], settings: Settings, folder: Path) -> str:
    """Write gpu_check.md and gpu_check.json; returns the text of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "date": date.today().isoformat(),
        "gpus": [gpu.name for gpu in hardware.gpus()][: settings.gpus],
        "rehearsed": settings.rehearse,
        "model": json.loads((settings.model / "config.json").read_text()) if settings.model.exists() else {},
        "steps": settings.steps, "rows_per_step": settings.batch, "tokens_per_row": settings.length,
        "versions": versions(LIBRARIES),
    }  # fmt: skip
    text = "\n".join([title(about), "", *table(found)])
    (folder / "gpu_check.json").write_text(json.dumps({**about, "pairs": list(found)}, indent=2) + "\n")
    (folder / "gpu_check.md").write_text(text + "\n")
    return text


def title(about: dict[str, Any]) -> str:
    """What was measured where, in a line."""
    where = " + ".join(about["gpus"]) or "a processor, rehearsed: the numbers mean nothing"
    return f"{about['date']}, {where}; {about['rows_per_step']} rows of about {about['tokens_per_row']} tokens a step"


def table(found: Sequence[dict[str, Any]]) -> list[str]:
    """A Markdown table, a line for each pair."""
    return [_line(HEAD), _line(["---"] * len(HEAD)), *(_line(_cells(each)) for each in found)]


def _cells(each: dict[str, Any]) -> list[str]:
    name = [f"`{each['algorithm']}`", f"`{each['backend']}`"]
    if each["status"] != "ok":
        return [*name, f"{each['status']}: {each['reason']}", *["-"] * (len(HEAD) - 3)]
    share, library = each["utilisation"], each.get("library_seconds")
    return [
        *name,
        ", ".join(f"{loss:.4f}" for loss in each["first_losses"]),
        f"{each['tokens_per_second']:,.0f}",
        f"{each['peak_memory_gb']:.1f}",
        "-" if share is None else f"{share:.1%}",
        f"{each['seconds']:.1f}",
        "failed" if "library_failed" in each else "-" if library is None else f"{library:.1f}",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
