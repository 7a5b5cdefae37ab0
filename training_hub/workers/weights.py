"""Whether weights are those of the model, and numbers, before a run begins with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PreTrainedModel
from transformers.quantizers import AutoHfQuantizer
from transformers.utils import (
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    WEIGHTS_INDEX_NAME,
    WEIGHTS_NAME,
    cached_file,
)
from transformers.utils.hub import get_checkpoint_shard_files

from training_hub.errors import ConfigError, fault
from training_hub.model_weights import layers, some, wrapped_by
from training_hub.trainers.base import LANGUAGE_MODEL, ModelKind
from training_hub.workers import finite
from training_hub.workers.tokenizer import WAY_OUT, first_line, where

_OTHER_CONFIG = "give the config.json that the weights were saved with"
_SCALES = ("scale", "scale_inv", "scales", "zero_point", "zero_points")  # of packed weights; not all are used
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "BOOL": torch.bool,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip


def class_of(kind: ModelKind) -> Any:
    """Transformers' class that makes models of a kind."""
    return getattr(transformers, kind.auto)


def load(node: Mapping[str, Any], kind: ModelKind = LANGUAGE_MODEL, **how: Any) -> PreTrainedModel:
    """A model with all of its weights from the files, but for the new ones. ConfigError where they do not load or fit.

    how: further arguments of from_pretrained.
    """
    path, told = node["path"], {"output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        loaded: Any = class_of(kind).from_pretrained(path, **told, **kind.arguments, **how, **where(node))
    except UnpicklingError:
        raise ConfigError(_pickle(path)) from None
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if "allocate" in str(error):  # memory
            raise
        raise ConfigError(fault("model_path", path, f"does not load: {_cause(error)}", WAY_OUT)) from error
    model: PreTrainedModel = loaded[0]
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ConfigError(
            fault("model_path", path, "holds an adapter", "merge it first: python -m training_hub export")
        )
    _must_be_unpackable(model.config, path)
    must_fit(model, loaded[1], path, kind)
    _must_be_finite(model, node)
    return model


def _pickle(path: str) -> str:
    rule = "its weights are pickled, and hold more than tensors: reading them would run their code"
    return fault("model_path", path, rule, "give a model in safetensors")


def _cause(error: Exception) -> str:
    """Why a model did not load, without torch's advice to trust whatever a pickle does."""
    if "weights_only" in str(error):
        return "its pickled weights hold more than tensors, which nobody may load; convert them to safetensors"
    return first_line(error)


def must_fit(model: PreTrainedModel, told: Mapping[str, Any], path: str, kind: ModelKind = LANGUAGE_MODEL) -> None:
    """ConfigError where tensors are missing, left over or of another shape, and the architecture does not say so.

    told: what transformers tells of loading: the tensors that it has to find, less those that are tied or ignorable.
    A buffer that the model computes itself and some libraries save, such as a rotary `inv_freq`, is not left over.
    kind: which of them may be missing or left over.
    """
    missing, other = set(told["missing_keys"]), {name: shapes for name, *shapes in told["mismatched_keys"]}
    packed = getattr(model, "hf_quantizer", None) is not None
    unexpected = {name for name in told["unexpected_keys"] if not (packed and name.endswith(_SCALES))}
    unexpected -= {name for name, _ in model.named_buffers()}
    missing, unexpected = _but(missing, kind.new), _but(unexpected, kind.unused)
    parts = [
        f"{len(names)} {what} ({some(names)})"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", other))
        if names
    ]
    if parts:
        rule = f"its tensors are not those of {type(model).__name__}: {', '.join(parts)}"
        raise ConfigError(fault("model_path", path, rule, _way_out(missing, unexpected, bool(other))))


def _but(names: set[str], patterns: Iterable[str]) -> set[str]:
    """The names that match none of the patterns."""
    return {name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)}


def _way_out(missing: set[str], unexpected: set[str], other_shapes: bool) -> str:
    """What may have happened, as the names tell."""
    if wrapper := wrapped_by(unexpected):
        return f"it was saved inside {wrapper}: save the model itself, with save_pretrained"
    if any("lora_" in name or ".base_layer." in name for name in unexpected):
        return "it was saved with an adapter in it: merge the adapter first"
    if other_shapes or unexpected or len(layers(missing)) > 1:
        return _OTHER_CONFIG
    return "the checkpoint is incomplete: save, convert or download it again"


def _must_be_finite(model: torch.nn.Module, node: Mapping[str, Any]) -> None:
    """ConfigError where a model comes with weights that are no numbers; of packed ones the files tell."""
    packed = getattr(model, "hf_quantizer", None) is not None
    _refuse(finite.of_files(_files(node)) if packed else finite.of_model(model), node["path"])


def at_hand(node: Mapping[str, Any]) -> bool:
    """Whether a model is on this machine: in a folder, or whole in the cache, where nothing may be downloaded."""
    try:
        return Path(node["path"]).expanduser().is_dir() or bool(_files(node))
    except OSError:
        return False


def check_files(node: Mapping[str, Any], values: bool = True, kind: ModelKind = LANGUAGE_MODEL) -> None:
    """The same of a model's files, for what loads them in another process: no weights are held.

    values: whether to read the numbers too. ConfigError.
    """
    try:
        config = AutoConfig.from_pretrained(node["path"], **where(node), **kind.arguments)
        _must_be_unpackable(config, node["path"])
        files = _files(node)
        if type(config) in class_of(kind)._model_mapping and not getattr(config, "quantization_config", None):
            _check_names(config, files, node, kind)
        _refuse(finite.of_files(files) if values else None, node["path"])
    except UnpicklingError:
        raise ConfigError(_pickle(node["path"])) from None
    except (OSError, ValueError, SafetensorError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(fault("model_path", node["path"], first_line(error), WAY_OUT)) from error


def _must_be_unpackable(config: Any, path: str) -> None:
    """ConfigError for weights that are packed in a way that transformers does not know: it takes them as they are."""
    packing = getattr(config, "quantization_config", None)
    if isinstance(packing, dict) and not AutoHfQuantizer.supports_quant_method(packing):
        rule = (
            f"its quantization_config has quant_method={packing.get('quant_method')}, which transformers does not know"
        )
        raise ConfigError(fault("model_path", path, rule, "give the model without quantization"))


def _check_names(config: Any, files: list[Path], node: Mapping[str, Any], kind: ModelKind) -> None:
    """Have transformers load tensors that have shapes and no numbers, so that it converts names as it always does."""
    stored = dict(_shapes(files))
    if not stored:
        return
    with torch.device("meta"):
        made = type(class_of(kind).from_config(config, trust_remote_code=node["trust_remote_code"]))
    how = {"device_map": "meta", "output_loading_info": True, "ignore_mismatched_sizes": True}
    model, told = made.from_pretrained(None, config=config, state_dict=stored, **how)
    must_fit(model, told, node["path"], kind)


def _shapes(files: list[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    for file in files:
        if file.suffix != ".safetensors":
            yield from finite.pickled(file, "meta")
            continue
        with safe_open(file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118  it is no dict
                each = stored.get_slice(name)
                yield name, torch.empty(each.get_shape(), dtype=_DTYPES[each.get_dtype()], device="meta")


def _files(node: Mapping[str, Any]) -> list[Path]:
    """The files of a model's weights that transformers would load, downloaded where they are not here."""
    how = {"revision": where(node)["revision"]}
    for name in (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME, WEIGHTS_NAME, WEIGHTS_INDEX_NAME):
        found = cached_file(node["path"], name, _raise_exceptions_for_missing_entries=False, **how)
        if found and name in (SAFE_WEIGHTS_INDEX_NAME, WEIGHTS_INDEX_NAME):
            return [Path(file) for file in get_checkpoint_shard_files(node["path"], found, **how)[0]]
        if found:
            return [Path(found)]
    return []


def _refuse(name: str | None, path: str) -> None:
    if name:
        rule = f"its weights are not finite: {name} holds NaN or infinity"
        raise ConfigError(fault("model_path", path, rule, "give a checkpoint from before that happened"))
