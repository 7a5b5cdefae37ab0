"""Supervised fine-tuning with TRL's SFTTrainer, in exact steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from training_hub.trainers.base import Trainer
from training_hub.trainers.reserved import EXACT_STEPS


class SFT(Trainer):
    """The loss of a step is the mean over its trained tokens."""

    recipe: ClassVar[str] = "trl.SFTConfig"
    module: ClassVar[str] = "training_hub.workers.exact_steps.sft"
    reserved: ClassVar[Mapping[str, str]] = EXACT_STEPS
    rows: ClassVar[str] = "labelled"
    unknown_memory: ClassVar[str] = ""
