"""Proof that what was written is a model: load it as anybody would, and let it speak."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from training_hub.errors import RunFailed
from training_hub.workers import finite
from training_hub.workers.tokenizer import load as load_tokenizer

_NEW_TOKENS = 24
_PROMPT = "What is the capital of France?"


@torch.no_grad()
def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """What a model says of token ids of shape (1, tokens): (1, tokens, vocabulary), float32."""
    found: torch.Tensor = model(input_ids=ids).logits.float()
    return found


def prove(folder: Path, request: Mapping[str, Any], written: torch.nn.Module | None = None) -> str:
    """Load a folder and generate once; returns a line about it.

    written: what the folder was written from. RunFailed where the loaded weights are not those, where some are missing,
    or where the model has no number for an answer.
    """
    code = {"trust_remote_code": request["trust_remote_code"]}
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True, **code)
    model, info = loaded
    for what in ("missing_keys", "mismatched_keys"):
        if info[what]:
            raise RunFailed(f"{request['output_dir']}: not a sound model, {what.replace('_', ' ')}: {min(info[what])}")
    if name := finite.of_model(model):
        raise RunFailed(f"{request['output_dir']}: {name} holds NaN or infinity")
    if written is not None and (name := _different(written, model)):
        raise RunFailed(f"{request['output_dir']}: {name} is not what was written")
    tokenizer = load_tokenizer({"path": str(folder), "revision": None, **code})
    prompt = request.get("prompt") or _PROMPT
    return f"loaded again; asked {prompt!r}, it says {_answer(model.eval(), tokenizer, prompt, request)!r}"


def _different(written: torch.nn.Module, model: torch.nn.Module) -> str | None:
    """The first parameter that two models do not share bit for bit."""
    kept = dict(model.named_parameters())
    for name, value in written.named_parameters():
        if name not in kept or kept[name].dtype != value.dtype or not torch.equal(kept[name], value):
            return name
    return None


def _answer(model: Any, tokenizer: Any, prompt: str, request: Mapping[str, Any]) -> str:
    """The likeliest answer of a few tokens."""
    chat = [{"role": "user", "content": prompt}]
    if tokenizer.chat_template:
        inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    else:
        inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    length = inputs["input_ids"].shape[1]
    if not torch.isfinite(logits(model, inputs["input_ids"])).all():
        raise RunFailed(f"{request['output_dir']}: the model answers with what is no number")
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    how = {"max_new_tokens": _NEW_TOKENS, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    with torch.no_grad():
        output = model.generate(**inputs, **how, pad_token_id=pad)
    return str(tokenizer.decode(output[0, length:], skip_special_tokens=True)).strip()
