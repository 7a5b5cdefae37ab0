"""Load the model and its tokenizer; save what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from training_hub.errors import ConfigError, fault
from training_hub.workers.trl.settle import attention


def load_tokenizer(config: dict[str, Any]) -> PreTrainedTokenizerBase:
    """The model's tokenizer, with the chat template of `data.chat_template` where one is given."""
    node = config["model"]
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(node["path"], **_where(node))
    except (OSError, ValueError) as error:
        raise _not_loaded(node, error) from error
    template = config["data"].get("chat_template")
    if template:
        tokenizer.chat_template = Path(template).read_text()
    return tokenizer


def load_model(node: dict[str, Any], use_cpu: bool, **changes: Any) -> PreTrainedModel:
    """A causal language model for training all weights: dtype auto is float32. changes: what to load otherwise.

    Updates are often smaller than what bfloat16 can tell apart next to a weight, so the weights that are trained stay
    in float32; the matrix products run in bfloat16 under autocast all the same.
    """
    dtype = torch.float32 if node["dtype"] == "auto" else getattr(torch, node["dtype"])
    how = {"dtype": dtype, "attn_implementation": attention(node["attn_implementation"], use_cpu)} | changes
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(node["path"], **how, **_where(node))
    except (OSError, ValueError, SafetensorError) as error:
        raise _not_loaded(node, error) from error
    return model


def stored_dtype(node: dict[str, Any]) -> torch.dtype:
    """The dtype that the model came in, float32 where it does not say."""
    dtype: torch.dtype | None = AutoConfig.from_pretrained(node["path"], **_where(node)).dtype
    return dtype or torch.float32


def save(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model, or an adapter of one, and the tokenizer in Hugging Face format."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _where(node: dict[str, Any]) -> dict[str, Any]:
    return {"revision": node["revision"] or "main", "trust_remote_code": node["trust_remote_code"]}


def _not_loaded(node: dict[str, Any], error: Exception) -> ConfigError:
    """The error for a model that cannot be loaded, from the first line of the library's own."""
    reason = str(error).strip().splitlines()[0].rstrip(".")
    way_out = "give a folder in Hugging Face format or an id on the hub (private models: set HF_TOKEN)"
    return ConfigError(fault("model_path", node["path"], reason, way_out))
