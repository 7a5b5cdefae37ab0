"""Supervised fine-tuning: all weights, on conversations or on plain documents."""

from __future__ import annotations

from typing import ClassVar

from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.data.params import DataParams
from training_hub.params import Params, param, takes


@takes(DataParams, document_column_name="document_column")
class SFTParams(Params):
    """What sft has beside the parameters of every algorithm."""

    unmask_messages: bool = param("train on the user's and the tools' turns as well, not only on the assistant's")
    is_pretraining: bool = param("rows are plain documents; every token is trained")
    block_size: int | None = param(
        "documents are joined and cut into blocks of this length, at most max_seq_len; null: max_seq_len where "
        "is_pretraining=true, else one row per document",
        "tokens",
        gt=1,
    )


class SFTAlgorithm(RecipeAlgorithm):
    """Supervised fine-tuning of all weights; the loss is on the assistant's tokens only."""

    name: ClassVar[str] = "sft"
    Params: ClassVar[type[Params]] = SFTParams


sft = as_function(SFTAlgorithm)
