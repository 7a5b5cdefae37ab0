"""Orthogonal subspace fine-tuning: all matrices, each in the directions that it uses least."""

from __future__ import annotations

from typing import ClassVar

from training_hub.adapters.osf import OSFNode
from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.algorithms.sft import SFTParams
from training_hub.params import Params, param, takes


@takes(OSFNode, "target_patterns")
class OSFTParams(SFTParams):
    """What osft has beside the parameters of sft, whose data it learns from."""

    unfreeze_rank_ratio: float = param(
        "share of each matrix's singular directions that is trained, the weakest first; 0: none, 1: all", ge=0, le=1
    )


class OSFTAlgorithm(RecipeAlgorithm):
    """Supervised fine-tuning of each matrix's weakest directions; what the model knows best stays as it is."""

    name: ClassVar[str] = "osft"
    Params: ClassVar[type[Params]] = OSFTParams


osft = as_function(OSFTAlgorithm)
