"""Curves of runs as a picture, by matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training_hub.metrics import held_out, label
from training_hub.results.curves import AXES, Course, Points
from training_hub.terminal import complain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEW_POINTS = 30  # so few are marked: a single one would be invisible
_FEW_RUNS = 10  # so many have colours that can be told apart
_MOST_NAMED = 30
_LONGEST_NAME = 60


def draw(
    found: Sequence[Course], path: Path, x: str, y: Sequence[str], ema_span: int | None, show: bool = False
) -> None:
    """Draw metrics over x, a panel for each of y with its values on held-out rows. The suffix says what kind.

    show: also on the screen, as pyplot does: below the cell of a notebook, or in a window until it is closed.
    """
    from matplotlib import colormaps  # half a second: only when there is something to draw
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    found = [each._replace(name=_plain(each.name)) for each in found]
    many = len(found) > _FEW_RUNS
    made = _shown_figure() if show else Figure
    figure = made(figsize=(11 if many else 8, max(4.5, 1 + 2.6 * len(y))), layout="constrained")
    panels: list[Axes] = list(figure.subplots(len(y), 1, sharex=True, squeeze=False)[:, 0])
    for key, axes in zip(y, panels, strict=True):
        for number, course in enumerate(found):
            color = colormaps["viridis"](number / len(found)) if many else f"C{number}"
            _curve(axes, course.name, course.points(key, x), color, None if key == "lr" else ema_span)
            _held_out(axes, course, key, x, "C3" if len(found) == 1 else color, named=not many)
        axes.set_ylabel(label(key))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(label(AXES[x]))
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=x != "epoch"))
    _name(figure, panels, outside=many)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Glyph .* missing from font", UserWarning
        )  # of a name; a box is drawn instead
        figure.savefig(path, dpi=150)
        if show:
            _show(figure, path)


def _shown_figure() -> Any:
    """What makes a figure that a screen can show."""
    from matplotlib import pyplot

    return pyplot.figure


def _show(figure: Figure, path: Path) -> None:
    """Show a figure; where there is no screen, say so: matplotlib would do nothing."""
    from matplotlib import get_backend, pyplot

    if get_backend().lower() == "agg":
        complain(f"not shown, there is no screen: {path}")
    pyplot.show()
    pyplot.close(figure)


def smoothed(points: Points, span: int) -> Points:
    """Exponential moving average with weight 2 / (span + 1), corrected for its start (as pandas' ewm)."""
    keep, total, weight = 1 - 2 / (span + 1), 0.0, 0.0
    smooth = []
    for step, value in points:
        total, weight = keep * total + value, keep * weight + 1
        smooth.append((step, total / weight))
    return smooth


def _plain(name: str) -> str:
    """A name as matplotlib draws it: it takes what stands between dollars for mathematics, and hides what has a _."""
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
    return (" " * short.startswith("_") + short).replace("$", r"\$")


def _curve(axes: Axes, name: str, points: Points, color: Any, ema_span: int | None) -> None:
    if not points:
        return
    mark = "." if len(points) <= _FEW_POINTS else ""
    (line,) = axes.plot(*zip(*points, strict=True), color=color, marker=mark, linewidth=1.2, label=name)
    if ema_span:
        line.set(alpha=0.35, label="_" + name)
        axes.plot(*zip(*smoothed(points, ema_span), strict=True), color=color, linewidth=2, label=f"{name} (EMA)")


def _held_out(axes: Axes, course: Course, key: str, x: str, color: Any, named: bool) -> None:
    if points := course.points(held_out(key), x):
        name = "held-out rows" if course.name == "training" else f"{'' if named else '_'}{course.name}, held-out rows"
        axes.plot(*zip(*points, strict=True), color=color, marker="o", linestyle="--", label=name)


def _name(figure: Any, panels: Sequence[Axes], outside: bool) -> None:
    """The legend, beside the curves of many; the first names of very many."""
    found = {name: line for axes in panels[::-1] for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    ordered = dict.fromkeys(name for axes in panels for name in axes.get_legend_handles_labels()[1])
    lines, names = [found[name] for name in ordered], list(ordered)
    if not outside:
        panels[0].legend(lines, names)
        return
    names = [*names[:_MOST_NAMED], *([f"... and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else [])]
    figure.legend(lines[: len(names)], names, loc="outside right upper", fontsize=7)
