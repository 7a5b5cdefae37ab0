"""Direct preference optimization: of two answers to a prompt, the model learns to prefer the chosen one."""

from __future__ import annotations

from typing import ClassVar, Literal

from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.params import Params, param

# Each is a mean over pairs, so that a step can be split. TRL's others (sft, aot, aot_unpaired) are not.
Loss = Literal[
    "sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard",
    "apo_zero", "apo_down", "discopop",
]  # fmt: skip


class DPOParams(Params):
    """The parameters that only dpo has."""

    beta: float = param("strength of the KL penalty towards the reference model, the model before training", gt=0)
    loss_type: Loss | list[Loss] = param("the loss of a pair; a list: the sum of several, weighted by loss_weights")
    loss_weights: list[float] | None = param("one weight for each loss of a list; null: 1 each", min_length=1)
    label_smoothing: float = param(
        "assumed fraction of pairs with swapped answers, for loss_type=robust and exo_pair", ge=0, lt=0.5
    )


class DPOAlgorithm(RecipeAlgorithm):
    """Direct preference optimization (DPO) of all weights or an adapter, on pairs of a chosen and a rejected answer."""

    name: ClassVar[str] = "dpo"
    Params: ClassVar[type[Params]] = DPOParams


dpo = as_function(DPOAlgorithm)
