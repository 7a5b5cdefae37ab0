"""Make a model of random weights with a tokenizer that knows every byte: to try things out, nothing has to be fetched.

    python scripts/random_model.py FOLDER [--size tiny|1b]

tiny: 60,000 parameters in float32; 1b: the shape of Llama 3.2 1B in bfloat16, made on the GPU where there is one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 258, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "dtype": "float32",
    },
    "1b": {
        "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
        "num_attention_heads": 32, "num_key_value_heads": 8, "dtype": "bfloat16",
    },
}  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    options = parser.parse_args()
    make_model(options.folder, options.size)


def make_model(folder: Path, size: str = "tiny") -> Path:
    """Write model and tokenizer; the same weights each time on the same kind of machine."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = {"max_position_embeddings": 8192, "tie_word_embeddings": False, **SIZES[size]}
    config = LlamaConfig(pad_token_id=0, eos_token_id=1, bos_token_id=None, **shape)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(config)
    model.to(getattr(torch, shape["dtype"])).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def make_tokenizer() -> Any:
    """One token for each byte, and those for padding and for the end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = {"<pad>": 0, "</s>": 1} | {letter: number for number, letter in enumerate(alphabet, 2)}
    bpe = Tokenizer(models.BPE(tokens, []))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


if __name__ == "__main__":
    main()
