"""Answers of the model to a few prompts, before and after training."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from training_hub.errors import ConfigError, fault
from training_hub.run import RunDir
from training_hub.workers.loop.trainer import RunTrainer


def check(prompts: list[str], tokenizer: PreTrainedTokenizerBase) -> None:
    """ConfigError where there are prompts but no chat template to put them in."""
    if prompts and not tokenizer.chat_template:
        way_out = "give one with data.chat_template=FILE or drop the prompts"
        raise ConfigError(fault("sample_prompts", prompts, "the tokenizer has no chat template", way_out))


def write(run: RunDir, trainer: RunTrainer, backend: dict[str, Any], when: str) -> None:
    """Let the model answer `backend.sample_prompts` on rank 0 and add the answers to the run."""
    if not trainer.is_world_process_zero():
        return
    for prompt in backend["sample_prompts"]:
        with trainer.accelerator.autocast():
            text = answer(trainer.model, trainer.processing_class, prompt, backend["sample_max_new_tokens"])
        run.append_sample(when, prompt, text)


@torch.no_grad()
def answer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, max_new_tokens: int) -> str:
    """The most likely answer, token by token, of at most max_new_tokens tokens."""
    chat = [{"role": "user", "content": prompt}]
    inputs: Any = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    inputs = inputs.to(model.device)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    how = {"max_new_tokens": max_new_tokens, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    output: Any = model.eval().generate(**inputs, **how, pad_token_id=pad)
    return str(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).strip()
