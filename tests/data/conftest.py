"""Tokenizers with the special tokens of many model families, trained in a second, and data nodes around them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.formats import formats

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

SPECIAL = (Path(__file__).parent / "special_tokens.txt").read_text().split()
CORPUS = [
    "You are a helpful assistant. What is the weather in Oslo today? It is 3 degrees and it rains.",
    "The assistant answers the user in one sentence, and thinks before it answers:\n\nfirst, then second.",
    '{"name": "weather", "arguments": {"city": "Oslo", "unit": "C"}}, "parameters": {"type": "object"}',
    "How many clips did she sell altogether in April and May? She sold 48 + 24 = 72 clips.\n#### 72",
]


@pytest.fixture(scope="session", params=["byte_level", "metaspace"])
def any_tokenizer(request: pytest.FixtureRequest) -> Any:
    """A tokenizer as GPT, Llama-3 or Qwen have it, and one as Llama-2, Mistral or Gemma have it."""
    return make_tokenizer(request.param)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer("byte_level")


def make_tokenizer(kind: str) -> Any:
    """Train a small BPE tokenizer; its chat template is to be set."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    byte_level = kind == "byte_level"
    bpe = Tokenizer(models.BPE() if byte_level else models.BPE(unk_token="<unk>"))
    if byte_level:
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
    else:
        bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
        bpe.decoder = decoders.Metaspace(prepend_scheme="never")
    letters = pre_tokenizers.ByteLevel.alphabet() if byte_level else [*map(chr, range(9, 127)), "é", "日", "🙂"]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=SPECIAL, initial_alphabet=letters, show_progress=False)
    bpe.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A data node, as a worker reads it, with the given changes; rows=[...] are written to a file."""

    def make(rows: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
        path = tmp_path / "rows.jsonl"
        if rows is not None:
            path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        columns = {name: value for name, value in changes.items() if name in ("messages_column", "document_column")}
        return {
            "path": str(path),
            "eval_path": None,
            "eval_fraction": 0.0,
            "format": "auto",
            "formats": formats(**columns),
            "accepts": ["labelled"],
            "train_on": "assistant",
            "max_seq_len": 512,
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
            "num_proc": None,
            "cache_dir": str(tmp_path / "cache"),
        } | changes

    return make
