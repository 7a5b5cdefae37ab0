# training_hub_anchor/algorithm.py
"""What the command line knows of anchored_sft: nothing heavy is imported here."""

from typing import ClassVar

from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.algorithms.sft import SFTParams
from training_hub.params import ChoiceNode, Params, param


class AnchoredSFTParams(SFTParams):
    """What anchored_sft has beside the parameters of sft."""

    anchor: float = param("how strongly the weights are pulled back to where they began; 0: not at all", ge=0)


class AnchoredSFTNode(ChoiceNode):
    """`algorithm`: with the setting that is no argument of a library, for the worker to read."""

    anchor: float = param("how strongly the weights are pulled back")


class AnchoredSFTAlgorithm(RecipeAlgorithm):
    """Supervised fine-tuning of all weights, each pulled back to the value that it began with."""

    name: ClassVar[str] = "anchored_sft"
    Params: ClassVar[type[Params]] = AnchoredSFTParams
    Node: ClassVar[type[ChoiceNode]] = AnchoredSFTNode


anchored_sft = as_function(AnchoredSFTAlgorithm)
