# training_hub_anchor/trainer.py
"""What the command line and the worker know of the trainer: that of sft, made by another module."""

from typing import ClassVar

from training_hub.trainers.sft import SFT


class AnchoredSFT(SFT):
    """Supervised fine-tuning that is pulled back to the weights it began with."""

    module: ClassVar[str] = "training_hub_anchor.training"
