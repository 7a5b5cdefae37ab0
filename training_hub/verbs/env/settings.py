"""The settings of `env`."""

from __future__ import annotations

from training_hub.params import Checked, Text, param


class EnvSettings(Checked):
    """The settings of `env create`."""

    torch: Text | None = param("the build of torch, such as cpu or cu128; null: the default one", default=None)
    python: Text | None = param("the version of Python, such as 3.12; null: the one that runs this", default=None)
