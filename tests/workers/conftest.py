"""A tiny model with a tokenizer, made once, and runs on it as a worker finds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.formats import formats

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}</s>{% endgeneration %}"
    "{% else %}{{ message['content'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TRAINERS = {
    "trl.SFTConfig": "training_hub.trainers.sft.SFT",
    "trl.DPOConfig": "training_hub.trainers.dpo.DPO",
    "transformers.TrainingArguments": "training_hub.trainers.unsloth_sft.UnslothSFT",
}
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def conversation(number: int) -> dict[str, Any]:
    """A question and an answer whose lengths differ from row to row."""
    start, length = number % 5, 2 + 3 * number % 7
    answer = " ".join(WORDS[(start + k) % 12] for k in range(length))
    question = f"count {length} words from {WORDS[start]}" + " please" * (number % 3)
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama of 60,000 parameters, weights in bfloat16."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    torch.set_num_threads(1)  # the model is too small for two
    special = ["<pad>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    texts = [message["content"] for number in range(50) for message in conversation(number)["messages"]]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def make_run(tiny: Path, tmp_path: Path) -> Callable[..., Any]:
    """A run directory with a config as the front writes it; recipe, backend and data take changes."""
    from training_hub.run import RunDir

    def write(name: str, numbers: range) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(conversation(number)) + "\n" for number in numbers))
        return str(path)

    def make(name: str = "run", rows: int = 12, batch: int = 4, **changes: dict[str, Any]) -> RunDir:
        config: dict[str, Any] = {
            "recipe": {
                "_target_": "trl.SFTConfig",
                "learning_rate": 5e-3,
                "num_train_epochs": 1,
                "max_steps": -1,
                "lr_scheduler_type": "constant",
                "logging_steps": 1,
                "save_strategy": "no",
                "gradient_checkpointing": False,
                "optim": "adamw_torch_fused",
                "seed": 42,
                "bf16": False,
                "use_cpu": True,
            },
            "adapter": {},
            "model": {
                "path": str(tiny),
                "dtype": "auto",
                "attn_implementation": "auto",
                "trust_remote_code": False,
                "revision": None,
            },
            "data": {
                "path": write(f"{name}.train.jsonl", range(rows)),
                "eval_path": write(f"{name}.eval.jsonl", range(100, 105)),
                "eval_fraction": 0.0,
                "format": "auto",
                "accepts": ["labelled"],
                "formats": formats(),
                "train_on": "assistant",
                "max_seq_len": 256,
                "too_long": "truncate",
                "chat_template": None,
                "chat_template_kwargs": {},
                "plain_text": False,
                "end_of_turn": "auto",
                "unrenderable": "error",
                "messages_column": "messages",
                "document_column": "document",
                "block_size": None,
                "seed": 0,
                "num_proc": 1,
                "cache_dir": str(tmp_path / "cache"),
            },
            "backend": {
                "worker": "training_hub.workers.trl.train",
                "effective_batch_size": batch,
                "packing": True,
                "max_tokens_per_gpu": 64,
                "eval_at_start": True,
                "save_final_checkpoint": True,
                "save_dtype": "auto",
                "sample_prompts": [],
                "sample_max_new_tokens": 4,
            },
        }
        for section, values in changes.items():
            config[section] |= values
        config["backend"] = {"trainer": TRAINERS[config["recipe"]["_target_"]], **config["backend"]}
        run = RunDir(tmp_path / name)
        run.path.mkdir()
        run.create(config, [], {})
        return run

    return make


@pytest.fixture
def losses() -> Callable[[Any], list[float]]:
    """The training losses that a run has written."""
    return lambda run: [row["loss"] for row in run.read_metrics() if row["loss"] is not None]
