"""Supervised fine-tuning of an adapter on a model of unsloth's, in exact steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from training_hub.trainers.reserved import EXACT_STEPS
from training_hub.trainers.sft import SFT


class UnslothSFT(SFT):
    """As `SFT`, with the loss that unsloth computes inside the model."""

    recipe: ClassVar[str] = "transformers.TrainingArguments"
    module: ClassVar[str] = "training_hub.workers.unsloth.sft"
    reserved: ClassVar[Mapping[str, str]] = {
        **EXACT_STEPS,
        "gradient_checkpointing": "gradient_checkpointing",
        "gradient_checkpointing_kwargs": "gradient_checkpointing",
        "use_liger_kernel": "",  # unsloth's own kernels are in its place
        "fp16": "",
    }
