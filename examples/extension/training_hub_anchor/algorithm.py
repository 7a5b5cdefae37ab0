# training_hub_anchor/algorithm.py
"""The client's side of anchored_sft, without heavy imports."""

from typing import ClassVar

from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.algorithms.sft import SFTParams
from training_hub.params import ChoiceNode, Params, param


class AnchoredSFTParams(SFTParams):
    """The parameters of anchored_sft: those of sft, and its own."""

    anchor: float = param("strength of the pull towards the initial weights; 0: none", ge=0)


class AnchoredSFTNode(ChoiceNode):
    """`algorithm`: with the setting that is not an argument of a library, for the worker to read."""

    anchor: float = param("strength of the pull towards the initial weights")


class AnchoredSFTAlgorithm(RecipeAlgorithm):
    """Supervised fine-tuning of all weights, each pulled back towards its initial value."""

    name: ClassVar[str] = "anchored_sft"
    Params: ClassVar[type[Params]] = AnchoredSFTParams
    Node: ClassVar[type[ChoiceNode]] = AnchoredSFTNode


anchored_sft = as_function(AnchoredSFTAlgorithm)
