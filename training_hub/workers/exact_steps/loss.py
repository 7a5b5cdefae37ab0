"""The loss of a micro-batch: the sum over its trained tokens, without the logits of the others.

For SmolLM2 the logits of 2,048 tokens take 400 MB in fp32, as much again for their gradient, and a fifth of the work of
a step; about half of the tokens of a conversation are the user's, and carry no loss.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

TILE = 2**24  # logits held at a time


class ChunkedLoss(torch.autograd.Function):
    """Sum of the cross-entropies of `hidden @ weight.T + bias`, a tile of tokens at a time.

    The gradient is made along with the value, so that no logits are kept and none are computed twice. It can be had
    once.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
    ) -> torch.Tensor:
        """hidden: (tokens, size), weight: (vocabulary, size), bias: (vocabulary) or None, targets: (tokens) int64."""
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        rows = max(1, TILE // weight.shape[0])
        total = torch.zeros((), device=hidden.device)
        ctx.grads = [torch.zeros_like(hidden), None, None]
        if len(targets) == 0:
            ctx.grads = [None if x is None else torch.zeros_like(x) for x in (hidden, weight, bias)]
        with torch.autocast(device, enabled=False):
            head, offset = weight.to(dtype), None if bias is None else bias.to(dtype)
            for start in range(0, len(targets), rows):
                part = slice(start, start + rows)
                x = hidden[part].to(dtype)
                log_p = F.log_softmax(F.linear(x, head, offset).float(), dim=1)
                total -= log_p.gather(1, targets[part, None]).sum()
                if any(ctx.needs_input_grad):
                    slope = _slope(log_p, targets[part]).to(dtype)
                    ctx.grads[0][part] = slope @ head
                    _add(ctx, 1, weight, slope.T, x)
                    _add(ctx, 2, bias, slope.T, torch.ones_like(x[:, 0]))
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> Any:
        """Scale what `forward` made."""
        grads, ctx.grads = ctx.grads, []
        return *(None if grad is None else grad.mul_(upstream[0]) for grad in grads), None


def _slope(log_p: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradient of the cross-entropy with respect to the logits, in the place of their log-probabilities."""
    slope = log_p.exp_()
    slope[torch.arange(len(targets), device=targets.device), targets] -= 1
    return slope


def _add(ctx: Any, place: int, of: torch.Tensor | None, *factors: torch.Tensor) -> None:
    """Add a product of matrices to the gradient of an input that wants one."""
    if of is None or not ctx.needs_input_grad[place]:
        return
    product = torch.matmul(*factors)
    kept = ctx.grads[place]
    ctx.grads[place] = product.to(of.dtype) if kept is None else kept.add_(product)


def add_token_loss(model: PreTrainedModel) -> str:
    """Teach `model(..., keep=, targets=)` to return the sum of the losses of the kept positions.

    keep: flat positions in the batch, targets: the token that each has to predict. The loss stands inside forward, so
    that wrappers of the model (autocast, DistributedDataParallel) hold for it too. Returns how the loss is computed:
    "chunked" where the head is a plain linear layer, else "logits".
    """
    forward = model.forward
    compute = chunked_loss if has_plain_head(model) else logits_loss

    @functools.wraps(type(model).forward)
    def with_loss(self: PreTrainedModel, *args: Any, targets: Any = None, keep: Any = None, **kwargs: Any) -> Any:
        if targets is None:
            return forward(*args, **kwargs)
        return compute(self, forward, keep, targets, **kwargs)

    model.forward = types.MethodType(with_loss, model)
    return "chunked" if compute is chunked_loss else "logits"


def chunked_loss(
    model: PreTrainedModel, _forward: Any, keep: torch.Tensor, targets: torch.Tensor, **inputs: Any
) -> torch.Tensor:
    """Loss through the model's body and `ChunkedLoss`."""
    hidden = model.base_model(**inputs, use_cache=False).last_hidden_state
    head = model.get_output_embeddings()
    apply: Any = ChunkedLoss.apply
    loss: torch.Tensor = apply(hidden.flatten(0, 1)[keep], head.weight, head.bias, targets)
    return loss


def logits_loss(
    _model: PreTrainedModel, forward: Any, keep: torch.Tensor, targets: torch.Tensor, **inputs: Any
) -> torch.Tensor:
    """Loss through the model's own logits, for heads that scale or cap them."""
    logits = forward(**inputs, use_cache=False).logits.flatten(0, 1)[keep]
    return F.cross_entropy(logits.float(), targets, reduction="sum")


def linear_head(model: PreTrainedModel) -> torch.nn.Linear | None:
    """The head where it is a linear layer, in a type that `ChunkedLoss` computes in."""
    head = model.get_output_embeddings()
    return head if type(head) is torch.nn.Linear and model.dtype != torch.float16 else None


@torch.no_grad()
def has_plain_head(model: PreTrainedModel) -> bool:
    """Whether the logits are a linear function of the last hidden state, found by trying it on a few tokens."""
    if linear_head(model) is None:
        return False
    ids = torch.arange(8, device=model.device)[None]
    keep, targets = torch.arange(7, device=model.device), ids[0, 1:]
    chunked = chunked_loss(model, None, keep, targets, input_ids=ids)
    return bool(torch.isclose(chunked, logits_loss(model, model.forward, keep, targets, input_ids=ids), rtol=1e-4))
