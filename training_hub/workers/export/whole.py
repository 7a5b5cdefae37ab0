"""Load a checkpoint as one plain model, whatever it was trained with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from training_hub.errors import ConfigError, RunFailed, fault
from training_hub.run import RunDir
from training_hub.workers import weights
from training_hub.workers.export.proof import logits
from training_hub.workers.tokenizer import first_line
from training_hub.workers.tokenizer import load as load_tokenizer

ADAPTER = "adapter_config.json"
# Of merged weights in float32: rounding in another order, relative to the largest logit.
_TOLERANCE = 1e-3


@dataclass
class Whole:
    """A plain model in the dtype that it is to be saved in. told: what was done to it, for the reader."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    told: list[str]

    def facts(self) -> str:
        """Its size."""
        return f"{self.model.num_parameters():,} parameters in {str(self.model.dtype).removeprefix('torch.')}"


def load(request: Mapping[str, Any]) -> Whole:
    """The checkpoint of a request. ConfigError where it, or the model that its adapter belongs to, does not load."""
    checkpoint = Path(request["source"])
    base = node(request["model_path"] or request["source"], request)
    if not (checkpoint / ADAPTER).exists():
        told: list[str] = []
        model = plain(base, "auto")
        stored = model.dtype
    else:
        config = RunDir(request["run"]).read_config() if request["run"] else {}
        model, told = merged(checkpoint, base, config)
        stored = merged_dtype(checkpoint, base, config)
    dtype = stored if request["dtype"] == "auto" else getattr(torch, request["dtype"])
    words = checkpoint if (checkpoint / "tokenizer_config.json").exists() else base["path"]
    tokenizer = load_tokenizer(node(str(words), request))
    return Whole(torch.nn.Module.to(model, dtype), tokenizer, told)


def node(path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """A model node as the loaders want it."""
    return {"path": path, "revision": None, "trust_remote_code": request["trust_remote_code"]}


def merged_dtype(checkpoint: Path, base: Mapping[str, Any], config: Mapping[str, Any]) -> torch.dtype:
    """The dtype that the run itself saves in, else that of the adapter's model.

    What osft has learnt is too fine for less than float32.
    """
    wanted = config["backend"].get("save_dtype", "auto") if config else "auto"
    if wanted != "auto":
        return getattr(torch, wanted)  # type: ignore[no-any-return]
    if kind_of(checkpoint) == "OSF":
        return torch.float32
    return AutoConfig.from_pretrained(base["path"], **_code(base)).dtype or torch.float32


def kind_of(checkpoint: Path) -> str:
    """Which method of PEFT made an adapter, by PEFT's name."""
    return str(json.loads((checkpoint / ADAPTER).read_text())["peft_type"])


def plain(base: Mapping[str, Any], dtype: Any) -> PreTrainedModel:
    """A model without an adapter, on the processor."""
    model = weights.load(base, dtype=dtype)
    model.eval()
    return model


def merged(checkpoint: Path, base: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[PreTrainedModel, list[str]]:
    """The model with an adapter added to its weights, in float32: nothing is rounded to the dtype that it came in.

    RunFailed where the result says something else than model and adapter.
    """
    kind = kind_of(checkpoint)
    adapted = _adapted(kind)(checkpoint, plain(base, torch.float32), config).eval()
    ids = torch.arange(1, 33)[None] % adapted.get_input_embeddings().num_embeddings
    apart = logits(adapted, ids)
    try:
        model: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    except (AttributeError, NotImplementedError, ValueError) as error:
        rule = f"a {kind} adapter cannot be added to the weights of a model"
        raise ConfigError(fault("checkpoint", checkpoint, rule)) from error
    difference = float((logits(model, ids) - apart).abs().max())
    if not difference <= _TOLERANCE * float(apart.abs().max()):
        raise RunFailed(f"{checkpoint}: merged, its logits differ from those of model and adapter by {difference:.2g}")
    return model, [f"The {kind} adapter is merged into the weights; logits differ by {difference:.1e} at most."]


def _adapted(kind: str) -> Callable[[Path, PreTrainedModel, Mapping[str, Any]], Any]:
    return _with_subspace if kind == "OSF" else _with_adapter


def _with_adapter(checkpoint: Path, model: PreTrainedModel, _config: Mapping[str, Any]) -> Any:
    from peft import PeftModel

    from training_hub.workers.adapters.methods import quiet

    try:
        with quiet():
            return PeftModel.from_pretrained(model, str(checkpoint))
    except Exception as error:  # of PEFT, safetensors, torch: the adapter does not fit the model, or is broken
        raise ConfigError(fault("checkpoint", checkpoint, f"its adapter does not load: {first_line(error)}")) from error


def _with_subspace(checkpoint: Path, model: PreTrainedModel, config: Mapping[str, Any]) -> Any:
    """OSF's parameters are what was added to the model's singular directions: these are computed anew."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    from training_hub.workers.adapters import subspace

    split = subspace.add(model, dict(config))
    found: Any = set_peft_model_state_dict(split, load_file(checkpoint / "adapter_model.safetensors"))
    if found.unexpected_keys:
        raise ConfigError(fault("checkpoint", checkpoint, f"does not fit the model: {found.unexpected_keys[0]}"))
    return split


def _code(base: Mapping[str, Any]) -> dict[str, Any]:
    return {"trust_remote_code": base["trust_remote_code"]}
