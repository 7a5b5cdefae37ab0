"""Pictures of runs, from their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.run import RunDir

Points = list[tuple[float, float]]
_FEW_POINTS = 30  # so few are marked: a single one would be invisible


def plot_loss(
    ckpt_output_dirs: str | Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    ema: bool = False,
    ema_span: int = 30,
    output_path: str | None = None,
) -> str:
    """Draw the training loss of one run or several over their steps; returns the path of the picture.

    ckpt_output_dirs: run directories. labels: a name for each, default the folder's. ema: also an exponential moving
    average over about ema_span steps. output_path: PNG or SVG, default loss_plot.png in the first run directory.
    Held-out loss is drawn where there is any. ConfigError (a ValueError) names every folder without metrics.
    """
    folders = [ckpt_output_dirs] if isinstance(ckpt_output_dirs, str) else list(ckpt_output_dirs)
    names = list(labels) if labels is not None else [Path(folder).resolve().name for folder in folders]
    if len(names) != len(folders):
        raise ConfigError(fault("labels", names, f"{len(folders)} run directories need as many labels"))
    curves = [(_losses(folder), _losses(folder, "eval_loss")) for folder in folders]
    empty = [folder for folder, (train, _) in zip(folders, curves, strict=True) if not train]
    if empty or not folders:
        raise ConfigError(
            *(fault("ckpt_output_dirs", folder, "no metrics of a run in this folder") for folder in empty)
        )
    path = Path(output_path) if output_path else Path(folders[0]) / "loss_plot.png"
    with_names = [(name, train, held_out) for name, (train, held_out) in zip(names, curves, strict=True)]
    _draw(with_names if len(folders) > 1 or labels else [("training", *curves[0])], path, ema_span if ema else None)
    return str(path)


def draw_losses(rows: list[dict[str, Any]], path: Path) -> bool:
    """Draw training and held-out loss of one run as a PNG; False where there is no loss to draw."""
    train, held_out = _points(rows, "loss"), _points(rows, "eval_loss")
    if train:
        _draw([("training", train, held_out)], path, None)
    return bool(train)


def smoothed(points: Points, span: int) -> Points:
    """Exponential moving average with weight 2 / (span + 1), corrected for its start (as pandas' ewm)."""
    keep, total, weight = 1 - 2 / (span + 1), 0.0, 0.0
    smooth = []
    for step, value in points:
        total, weight = keep * total + value, keep * weight + 1
        smooth.append((step, total / weight))
    return smooth


def _losses(folder: str, key: str = "loss") -> Points:
    return _points(RunDir(folder).read_metrics(), key)


def _points(rows: list[dict[str, Any]], key: str) -> Points:
    return [(row["step"], row[key]) for row in rows if row[key] is not None]


def _draw(curves: Sequence[tuple[str, Points, Points]], path: Path, ema_span: int | None) -> None:
    from matplotlib.figure import Figure  # half a second: only when there is something to draw
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, train, held_out) in enumerate(curves):
        color = f"C{number}"
        point = "." if len(train) <= _FEW_POINTS else ""
        (line,) = axes.plot(*zip(*train, strict=True), color=color, marker=point, linewidth=1.2, label=name)
        if ema_span:
            line.set(alpha=0.35, label="_" + name)
            axes.plot(*zip(*smoothed(train, ema_span), strict=True), color=color, linewidth=2, label=f"{name} (EMA)")
        if held_out:
            mark = "C3" if len(curves) == 1 else color
            label = "held-out rows" if len(curves) == 1 else f"{name}, held-out rows"
            axes.plot(*zip(*held_out, strict=True), color=mark, marker="o", linestyle="--", label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("loss per trained token (nats)")
    axes.grid(alpha=0.3)
    axes.legend()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150)
