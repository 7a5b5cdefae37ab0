"""Orthogonal subspace fine-tuning: the weakest directions of each weight matrix are trained, the others frozen."""

from __future__ import annotations

from typing import ClassVar

from training_hub.adapters.osf import OSFNode
from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.algorithms.sft import SFTParams
from training_hub.params import Params, param, takes


@takes(OSFNode, "target_patterns")
class OSFTParams(SFTParams):
    """The parameters of osft: those of sft, and its own."""

    unfreeze_rank_ratio: float = param(
        "fraction of each weight matrix's singular directions to train, the weakest; 0: none, 1: all", ge=0, le=1
    )


class OSFTAlgorithm(RecipeAlgorithm):
    """Orthogonal subspace fine-tuning (OSFT): the weakest directions of each matrix are trained, the others frozen."""

    name: ClassVar[str] = "osft"
    Params: ClassVar[type[Params]] = OSFTParams


osft = as_function(OSFTAlgorithm)
