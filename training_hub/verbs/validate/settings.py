"""The settings of `validate`."""

from __future__ import annotations

from training_hub.params import Checked, Text, param


class ValidateSettings(Checked):
    """The settings of `validate`."""

    rows: int = param("how many of the first rows to show", unit="rows", default=3, ge=0)
    plot: Text | None = param("also draw the lengths into this file: PNG, SVG or PDF", default=None)
