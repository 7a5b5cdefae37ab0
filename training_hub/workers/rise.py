"""Whether training has raised the loss instead of lowering it: what is said of that. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping


def much_higher(before: float, after: float) -> bool:
    """By more than a nat, and by half: less may be other rows alone."""
    return after > max(before + 1, 1.5 * before)


def of_run(metrics: Mapping[str, float]) -> list[str]:
    """A warning where a run ended with a loss far above that of its first steps; [] where it did not."""
    first, final = metrics.get("first_loss"), metrics.get("final_loss")
    if first is None or final is None or not much_higher(first, final):
        return []
    return [f"the loss rose from {first:.4g} in the first steps to {final:.4g} in the last; lower lr"]
