"""Supervised fine-tuning of all weights, on conversations or documents."""

from __future__ import annotations

from typing import ClassVar

from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import as_function
from training_hub.data.params import DataParams
from training_hub.params import Params, param, takes


@takes(DataParams, document_column_name="document_column")
class SFTParams(Params):
    """The parameters that only sft and its variants have."""

    unmask_messages: bool = param("train on the turns of user and tools as well as the assistant's")
    is_pretraining: bool = param("rows are documents, and every token is trained")
    block_size: int | None = param(
        "join documents and cut them into blocks of this length, at most max_seq_len; null: max_seq_len if "
        "is_pretraining=true, else one row per document",
        "tokens",
        gt=1,
    )


class SFTAlgorithm(RecipeAlgorithm):
    """Supervised fine-tuning of all weights, with loss on the assistant's turns only."""

    name: ClassVar[str] = "sft"
    Params: ClassVar[type[Params]] = SFTParams


sft = as_function(SFTAlgorithm)
