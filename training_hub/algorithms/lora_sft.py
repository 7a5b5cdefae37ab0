"""Supervised fine-tuning of an adapter; the model's own weights are frozen."""

from __future__ import annotations

from typing import ClassVar

from training_hub.adapters.lora import LoRAParams
from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.algorithms.sft import SFTParams
from training_hub.params import Params


class LoRASFTParams(LoRAParams, SFTParams):
    """The parameters of lora_sft: those of sft and of the adapter."""


class LoRASFTAlgorithm(RecipeAlgorithm):
    """Supervised fine-tuning of a low-rank adapter (LoRA); the model's own weights are frozen."""

    name: ClassVar[str] = "lora_sft"
    Params: ClassVar[type[Params]] = LoRASFTParams


lora_sft = as_function(LoRASFTAlgorithm)
