"""`plot`: metrics of runs as a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from training_hub.errors import enumerate_names
from training_hub.results.curves import courses
from training_hub.run import RunDir
from training_hub.verbs.plot.settings import PlotSettings


def plot(folders: Sequence[str], settings: PlotSettings) -> int:
    """Draw what is asked for; returns the exit status. Everything wrong is a ConfigError."""
    found = courses(folders)
    from training_hub.results import plot as pictures

    path = pictures.plot(
        [each for each in found if each.rows],
        settings.output_path or pictures.default_path(folders[0]),
        x=settings.x,
        y=settings.y,
        labels=settings.labels,
        ema_span=settings.ema_span,
    )
    for text in (text for each in found for text in RunDir(each.path).left_out() if RunDir(each.path).exists()):
        print(text, file=sys.stderr)
    if empty := [each.name for each in found if not each.rows]:
        print(f"left out, no metrics yet: {enumerate_names(empty)}", file=sys.stderr)
    print(path)
    return 0
