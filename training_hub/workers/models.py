"""Load the model; save what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from training_hub.errors import ConfigError, fault
from training_hub.trainers.base import LANGUAGE_MODEL, ModelKind
from training_hub.workers import weights
from training_hub.workers.resolve import attention
from training_hub.workers.tokenizer import WAY_OUT, first_line, where


def load_model(
    node: dict[str, Any], use_cpu: bool, kind: ModelKind = LANGUAGE_MODEL, **changes: Any
) -> PreTrainedModel:
    """A model for training all weights: dtype auto is float32. changes: what to load otherwise.

    Updates are often smaller than what bfloat16 can tell apart next to a weight, so the weights that are trained stay
    in float32; the matrix products run in bfloat16 under autocast all the same. ConfigError where the weights are not
    those of the model, or not finite.
    """
    model: PreTrainedModel = weights.load(node, kind, **(_how(node, use_cpu) | changes))
    return model


def sketch(node: dict[str, Any], use_cpu: bool, kind: ModelKind = LANGUAGE_MODEL, **changes: Any) -> PreTrainedModel:
    """The same from its config alone, with any weights; packed ones are not packed."""
    try:
        config = AutoConfig.from_pretrained(node["path"], **where(node), **kind.arguments)
        how = _how(node, use_cpu) | {name: value for name, value in changes.items() if name == "dtype"}
        trust = node["trust_remote_code"]
        model: PreTrainedModel = weights.class_of(kind).from_config(config, trust_remote_code=trust, **how)
    except (OSError, ValueError) as error:
        raise ConfigError(fault("model_path", node["path"], first_line(error), WAY_OUT)) from error
    return model


def _how(node: dict[str, Any], use_cpu: bool) -> dict[str, Any]:
    dtype = torch.float32 if node["dtype"] == "auto" else getattr(torch, node["dtype"])
    return {"dtype": dtype, "attn_implementation": attention(node["attn_implementation"], use_cpu)}


def stored_dtype(node: dict[str, Any]) -> torch.dtype:
    """The dtype that the model came in, float32 where it does not say."""
    dtype: torch.dtype | None = AutoConfig.from_pretrained(node["path"], **where(node)).dtype
    return dtype or torch.float32


def save(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model, or an adapter of one, and the tokenizer in Hugging Face format."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
