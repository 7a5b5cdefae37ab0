"""Whether the weights in a model folder can be those of its config.json, as far as names and shapes tell.

What only the architecture itself knows, the worker says before the first step. Here stands what is true of all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training_hub.errors import fault
from training_hub.installed.interpreter import look_at
from training_hub.installed.signature import members
from training_hub.model_weights import Tensors, Unreadable, layers, some, tensors, wrapped_by

_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_TABLES = ("model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "gpt_neox.embed_in.weight")
# Model types, and those that are named after them, of which no layer is used twice: the files hold all of them.
_EACH_ONCE = ("llama", "qwen", "mistral", "mixtral", "gemma", "phi", "gpt", "granite", "olmo", "smollm")
_OTHER_CONFIG = "give the config.json that the weights were saved with"


def weight_faults(path: str) -> list[str]:
    """Faults of a model folder's weights, one line each."""
    folder = Path(path).expanduser()
    if (folder / "adapter_config.json").is_file():
        return [
            fault(
                "model_path",
                path,
                "holds an adapter",
                f"merge it first: python -m training_hub export {path} output_dir=FOLDER",
            )
        ]
    config = json.loads((folder / "config.json").read_bytes())
    if "model_type" not in config and not any(folder.glob("*.safetensors*")):  # no model of any kind: the worker's word
        return []
    try:
        found = tensors(folder)
    except Unreadable as error:
        return [fault("model_path", path, error.rule, error.way_out)]
    except OSError as error:
        return [fault("model_path", path, f"its weights cannot be read: {error.strerror}", "check the files")]
    if "auto_map" in config or not found:  # code of its own may call its tensors what it likes
        return []
    return [fault("model_path", path, rule, way) for rule, way in _misfits(found, config)]


def packing_faults(path: str, python: str | None) -> list[str]:
    """Whether the transformers of an interpreter can unpack a model's weights, where they are packed."""
    try:
        packing = json.loads((Path(path).expanduser() / "config.json").read_bytes()).get("quantization_config")
        method = packing.get("quant_method") or "bitsandbytes"
    except (OSError, ValueError, AttributeError, RecursionError):
        return []
    known = members("transformers.utils.quantization_config.QuantizationMethod", look_at(python).search_path)
    if not known or method in known:
        return []
    rule = f"its quantization_config has quant_method={method}, which transformers does not know"
    return [fault("model_path", path, rule, "give the model without quantization")]


def _misfits(found: Tensors, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What does not fit, and the way out; only the first, as the others follow from it."""
    if wrapper := wrapped_by(found):
        rule = f"its tensors have the names that {wrapper} gives them ({some(found, 1)})"
        yield rule, "save the model inside the wrapper, with save_pretrained"
        return
    if any(isinstance(value, dict) for name, value in config.items() if name.endswith("_config")):
        return  # of several models in one, or packed
    yield from _layers(found, config)
    yield from _table(found, config)


def _layers(found: Tensors, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """More layers than the config has, or fewer. Those for predicting further tokens are not like the others."""
    stack, wanted = layers(found), next((config[name] for name in _LAYERS if isinstance(config.get(name), int)), None)
    if wanted is None or not stack:
        return
    known = {held for number, held in stack.items() if number < wanted}
    further = [number for number, held in stack.items() if number >= wanted and held in known]
    has = max(further) + 1 if further else max(stack) + 1
    if further or (has < wanted and str(config.get("model_type")).startswith(_EACH_ONCE)):
        yield f"its files hold {has} layers, and its config.json says {wanted}", _OTHER_CONFIG


def _table(found: Tensors, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """An embedding of another vocabulary, or another width, than the config has."""
    name = next((name for name in _TABLES if name in found), None)
    wanted = [config.get("vocab_size"), config.get("hidden_size", config.get("n_embd"))]
    if name and None not in wanted and "word_embed_proj_dim" not in config and list(found[name]["shape"]) != wanted:
        shapes = (" x ".join(map(str, each)) for each in (found[name]["shape"], wanted))
        rule = "{} is {}, and its config.json says {}".format(name, *shapes)
        yield rule, _OTHER_CONFIG
