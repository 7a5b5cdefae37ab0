"""Rows and a model, made here: nothing has to be fetched."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

SIZES = {
    "tiny": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32},
}
VOCABULARY = {"tiny": 260, "1b": 128_256}

MODEL = """
import json, sys, torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
folder, shape, vocabulary = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
bpe = Tokenizer(models.BPE({"<pad>": 0, "</s>": 1} | {letter: 2 + k for k, letter in enumerate(alphabet)}, []))
bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", pad_token="<pad>")
tokenizer.chat_template = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
torch.manual_seed(0)
config = LlamaConfig(vocab_size=vocabulary, num_key_value_heads=shape["num_attention_heads"] // 4, eos_token_id=1,
    pad_token_id=0, bos_token_id=None, max_position_embeddings=8192, tie_word_embeddings=False, **shape)
with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
    model = LlamaForCausalLM(config)
model.to(torch.bfloat16).save_pretrained(folder)
tokenizer.save_pretrained(folder)
"""


def make_model(folder: Path, size: str) -> Path:
    """A random Llama, and a tokenizer with one token for a byte."""
    words = [str(folder), json.dumps(SIZES[size]), str(VOCABULARY[size])]
    subprocess.run([sys.executable, "-c", MODEL, *words], check=True, capture_output=True)
    return folder


def make_rows(folder: Path, rows: int, length: int) -> None:
    """rows.jsonl, conversations of about so many bytes, and pairs.jsonl, the same with a second answer."""
    dice = random.Random(0)
    with (folder / "rows.jsonl").open("w") as conversations, (folder / "pairs.jsonl").open("w") as pairs:
        for _ in range(rows):
            question, answer, other = (_text(dice, length * share) for share in (0.2, 0.7, 0.7))
            prompt = [{"role": "user", "content": question}]
            chosen, rejected = ([{"role": "assistant", "content": text}] for text in (answer, other))
            conversations.write(json.dumps({"messages": prompt + chosen}) + "\n")
            pairs.write(json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected}) + "\n")


def _text(dice: random.Random, length: float) -> str:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    return " ".join(dice.choice(words) for _ in range(max(2, round(length * dice.uniform(0.8, 1.2) / 5))))
