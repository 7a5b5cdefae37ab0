"""Pictures of runs, from their metrics."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, enumerate_names, fault, suggestion
from training_hub.metrics import held_out, names
from training_hub.results.curves import AXES, Course, courses, logged
from training_hub.results.drawing import draw

KINDS = (".png", ".svg")


def plot_loss(
    ckpt_output_dirs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    labels: Sequence[str] | None = None,
    ema: bool = False,
    ema_span: int = 30,
    output_path: str | os.PathLike[str] | None = None,
    metrics_file: str | os.PathLike[str] | None = None,
    metric_keys: Sequence[str] | None = None,
    show: bool = False,
) -> str:
    """Draw the training loss of one run or several over their steps; returns the path of the picture.

    ckpt_output_dirs: run directories, folders that hold several, such as a sweep's, or folders that another program
    has logged to. labels: a name for each run, default the folder's. ema: also an exponential moving average over
    about ema_span rows of metrics. output_path: PNG or SVG, default loss_plot.png in the first folder. metrics_file:
    the log to read, a name in each folder or a path; default: the one that is found. metric_keys: names of the value
    to draw in place of the loss; in each row, the first that is there counts. show: also show the picture, in a
    notebook or a window. Held-out loss is drawn where there is any. ConfigError (a ValueError) names every folder
    without metrics.
    """
    given = [ckpt_output_dirs] if isinstance(ckpt_output_dirs, str | os.PathLike) else ckpt_output_dirs
    folders = [os.fspath(each) for each in given]
    keys = [metric_keys] if isinstance(metric_keys, str) else list(metric_keys or ())
    if ema and ema_span < 1:
        raise ConfigError(fault("ema_span", ema_span, "must be greater than 0"))
    if metric_keys is not None and not keys:
        raise ConfigError(fault("metric_keys", [], "names nothing to draw", "drop it, or name a metric"))
    if metrics_file or keys:
        found = logged(folders, metrics_file, keys)
    else:
        found = [each for each in courses(folders, "ckpt_output_dirs") if each.rows]
    place = os.fspath(output_path or default_path(folders[0]))
    return plot(found, place, y=keys[:1] or ["loss"], labels=labels, ema_span=ema_span if ema else None, show=show)


def plot(
    found: Sequence[Course],
    output_path: str,
    *,
    x: str = "step",
    y: Sequence[str] = ("loss",),
    labels: Sequence[str] | None = None,
    ema_span: int | None = None,
    show: bool = False,
) -> str:
    """Draw metrics of runs, one below the other; returns the path of the picture.

    x: one of curves.AXES. y: names of metrics. labels, ema_span, show: as for `plot_loss`. ConfigError names all that
    cannot be drawn.
    """
    path = Path(output_path).expanduser()
    if refused := [*_label_faults(found, labels), *_data_faults(found, x, y), *place_faults(path, KINDS)]:
        raise ConfigError(*refused)
    named = zip(found, labels or _names(found), strict=True)
    with one_line(path):
        draw([course._replace(name=name) for course, name in named], path, x, y, ema_span, show)
    return str(path)


def place_faults(path: Path, kinds: Sequence[str]) -> Iterator[str]:
    """What is wrong with a path to write to. kinds: the suffixes that it may have."""
    if path.suffix not in kinds:
        yield fault("output_path", path, f"the name must end with {' or '.join(kinds)}")
    elif path.is_dir() or not path.absolute().parent.is_dir():
        yield fault("output_path", path, "is a folder" if path.is_dir() else "its folder does not exist")


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn an error of writing a file into a ConfigError."""
    try:
        yield
    except OSError as error:
        rule = f"cannot be written ({error.strerror})"
        raise ConfigError(fault("output_path", path, rule, "choose another")) from None


def default_path(folder: str) -> str:
    """Where a picture goes that nobody has named."""
    return str(Path(folder) / "loss_plot.png")


def draw_losses(rows: list[dict[str, Any]], path: Path) -> bool:
    """Draw training and held-out loss of one run as a PNG; False where there is no loss to draw."""
    course = Course("training", path, rows)
    if drawn := bool(course.points("loss")):
        draw([course], path, "step", ["loss"], None)
    return drawn


def _names(found: Sequence[Course]) -> list[str]:
    """What tells them apart: their names, or their paths where two have the same."""
    names = [each.name for each in found]
    if len(found) == 1:
        return ["training"]
    return names if len(set(names)) == len(names) else [str(each.path) for each in found]


def _label_faults(found: Sequence[Course], labels: Sequence[str] | None) -> Iterator[str]:
    if labels is not None and len(labels) != len(found):
        yield fault("labels", list(labels), f"{len(found)} run directories need as many labels")


def _data_faults(found: Sequence[Course], x: str, y: Sequence[str]) -> Iterator[str]:
    """The runs that cannot be placed on the axis, and what none of them has."""
    lost = [each for each in found if all(row[AXES[x]] is None for row in each.rows)]
    yield from (fault("x", x, f"{each.path} has logged none", "choose another") for each in lost)
    for key in y if not lost else ():
        if not any(each.points(name) for each in found for name in (key, held_out(key))):
            known = names(row for each in found for row in each.rows)
            close = suggestion(key, known)
            yield fault("y", key, "no run has logged any", f"{close or 'choose from'} ({enumerate_names(known)})")
