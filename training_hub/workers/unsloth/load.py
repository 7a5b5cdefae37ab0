"""Let unsloth load a model and put an adapter into it."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, BitsAndBytesConfig, PreTrainedModel
from unsloth import FastLanguageModel

from training_hub.data.prepare import Prepared
from training_hub.errors import ConfigError, fault
from training_hub.workers import weights
from training_hub.workers.adapters import lora
from training_hub.workers.tokenizer import WAY_OUT, first_line, where


def model_and_adapter(config: dict[str, Any], resolved: dict[str, Any], data: Prepared) -> tuple[Any, PreTrainedModel]:
    """The model as it is trained, and the same without the adapter around it."""
    given = {**_arguments(config, "load"), **_bits(config["adapter"]["quantization"])}
    given |= {"dtype": _dtype(config, resolved), "max_seq_length": _longest(config, data)}
    try:
        plain, _ = FastLanguageModel.from_pretrained(**given)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(fault("model_path", config["model"]["path"], first_line(error), WAY_OUT)) from error
    weights.check_files(config["model"] | {"path": plain.config.name_or_path or config["model"]["path"]})
    _check_bits(plain, config["adapter"]["quantization"])
    adapt = _arguments(config, "adapt")
    put_in = lambda model, peft: FastLanguageModel.get_peft_model(model, **peft, **adapt)  # noqa: E731
    return lora.add(plain, config, put_in=put_in).eval(), plain


def _arguments(config: dict[str, Any], which: str) -> dict[str, Any]:
    """The arguments of one of unsloth's functions."""
    return {name: value for name, value in config["backend"][which].items() if name != "_target_"}


def _bits(node: dict[str, Any]) -> dict[str, Any]:
    """How the model's own weights are held. Both flags are said: unsloth's own default is 4 bits."""
    flags = {name: node[name] for name in ("load_in_4bit", "load_in_8bit")}
    return flags | ({"quantization_config": BitsAndBytesConfig(**node)} if node["load_in_4bit"] else {})


def _check_bits(model: PreTrainedModel, node: dict[str, Any]) -> None:
    """ConfigError where the weights are not held as was asked: unsloth goes on with others, and prints it."""
    held = getattr(model.config, "quantization_config", None)
    asked = ["load_in_4bit", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant"] if node["load_in_4bit"] else []
    for name in asked or ["load_in_8bit"] * node["load_in_8bit"]:
        if getattr(held, name, None) != node[name]:
            raise ConfigError(fault(name, node[name], "unsloth holds the weights otherwise here", "use backend=trl"))


def _dtype(config: dict[str, Any], resolved: dict[str, Any]) -> torch.dtype:
    """Type of the weights that are not trained, and of the products."""
    wanted = config["model"]["dtype"]
    if wanted == "auto":
        return torch.bfloat16 if resolved["bf16"] else torch.float32
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


def _longest(config: dict[str, Any], data: Prepared) -> int:
    """The length that unsloth is to reckon with. ConfigError for rows that the model was not made for.

    Where it is more than the model was made for, unsloth would change the model: it stretches the positions.
    """
    made_for = _made_for(config["model"])
    longest = max(int(part.lengths.max()) for part in (data.train, data.eval) if part is not None)
    if longest > made_for and not config["backend"]["load"].get("rope_scaling"):
        rule = (
            f"the longest row has {longest} tokens, and unsloth would stretch the model's {made_for} positions to them"
        )
        raise ConfigError(fault("max_seq_len", config["data"]["max_seq_len"], rule, f"give at most {made_for}"))
    return max(longest, min(int(config["data"]["max_seq_len"]), made_for))


def _made_for(node: dict[str, Any]) -> int:
    """Tokens that a model has positions for."""
    return int(AutoConfig.from_pretrained(node["path"], **where(node)).get_text_config().max_position_embeddings)
