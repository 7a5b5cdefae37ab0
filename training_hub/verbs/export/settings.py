"""The settings of `export`."""

from __future__ import annotations

from typing import Literal

from training_hub.params import Checked, Text, param


class Written(Checked):
    """What is written, and where to."""

    output_dir: Text = param("the folder to write, new or empty", min_length=1)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = param(
        "data type of the weights; auto: keep it, or for an adapter that of its base model", default="auto"
    )
    overwrite: bool = param("replace a model in output_dir", default=False)
    trust_remote_code: bool = param("run Python code that comes with the model", default=False)
    trust: bool = param("trust a run directory that you did not write, which may then execute code", default=False)


class ExportSettings(Written):
    """The settings of `export`."""

    model_path: Text | None = param(
        "the base model of an adapter; null: the path in the adapter's config", default=None
    )
