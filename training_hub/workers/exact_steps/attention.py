"""Attention over packed rows that costs what the rows cost, not the square of the whole.

transformers gives a packed row a block-diagonal mask and computes every block of it. Here each row of the pack is
attended to by itself, causally and without a mask: the same values, T_1^2 + T_2^2 + ... instead of (T_1 + T_2 + ...)^2.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_packed"


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    lengths: tuple[int, ...] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention; query, key and value of shape (batch, heads, tokens, head size).

    lengths: of the rows of a pack, in order; None for anything else, which takes the usual way. Returns shape
    (batch, tokens, heads, head size).
    """
    dtype = value.dtype
    with contextlib.ExitStack() as stack:
        if query.device.type == "cpu" and query.shape[2] > 1:
            # In bfloat16 torch's backward is slow on a processor (9 heads of 64, 160 tokens: 5.0 ms, in float32 2.2 ms)
            # and its forward no faster.
            stack.enter_context(torch.autocast("cpu", enabled=False))
            query, key, value = query.float(), key.float(), value.float()
        attended, _ = attend_by_row(module, query, key, value, attention_mask, lengths, **kwargs)
    return attended.to(dtype), None


def attend_by_row(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    lengths: tuple[int, ...] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """`attend` in the type that query, key and value have."""
    if lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)[0], None
    rows = zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    return torch.cat([sdpa_attention_forward(module, *row, None, **kwargs)[0] for row in rows], dim=1), None


def mask(*, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor | None:
    """The mask of `attend`: none for a pack and for plain causal attention, the usual one where there is padding."""
    return None if attention_mask is None else sdpa_mask(attention_mask=attention_mask, **kwargs)


def use_packed_attention(model: PreTrainedModel) -> bool:
    """Switch a model from sdpa to `attend` where that is the same: its layers attend to everything before a token."""
    config = model.config.get_text_config()
    local = any(getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "local_attention"))
    mixed = set(getattr(config, "layer_types", None) or ["full_attention"]) != {"full_attention"}
    plain = model._supports_attention_backend and getattr(config, "is_causal", True) and not local and not mixed
    if config._attn_implementation != "sdpa" or not plain:
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, mask)
    model.set_attn_implementation(NAME)
    return True
