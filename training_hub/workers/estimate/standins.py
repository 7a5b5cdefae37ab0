"""What only numbers can tell, told by shapes: in the place of functions of the worker, while a step is gone through."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from training_hub.workers.adapters import svd
from training_hub.workers.exact_steps import attention, loss

Place = tuple[Any, str, Any]  # an owner, the name of what it has, and what stands in for that


@contextlib.contextmanager
def put_in(gpu: bool, chunked: bool, of_trainer: Iterable[Place] = ()) -> Iterator[None]:
    """Put them in while the block lasts.

    gpu: attention as there, in the type that the products have. chunked: whether logits may be computed in tiles.
    of_trainer: what else the trainer's module has to have replaced.
    """
    places: list[Place] = [
        (loss, "has_plain_head", has_plain_head if chunked else lambda _: False),
        (svd, "from_cache", from_nowhere),
        (torch.nn.Module, "to", stay),
        *of_trainer,
        *([(attention, "attend", attention.attend_by_row)] if gpu else []),
    ]
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    try:
        for owner, name, instead in places:
            setattr(owner, name, instead)
        yield
    finally:
        for owner, name, own in kept:
            setattr(owner, name, own)


class Operations(TorchDispatchMode):
    """Writes down what is done."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.done: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation."""
        self.done.append(func)
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def has_plain_head(model: PreTrainedModel) -> bool:
    """Whether the model does to its last hidden state what a linear layer does, and nothing more."""
    head = loss.linear_head(model)
    if head is None:
        return False
    ids = torch.arange(8, device=model.device)[None]
    with Operations() as whole:
        logits = model(input_ids=ids, use_cache=False).logits
    with Operations() as parts:
        plain = head(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return logits.shape == plain.shape and _computed(whole) == _computed(parts)


def _computed(operations: Operations) -> Counter[Any]:
    """What was done, but for other views of the same numbers."""
    return Counter(each for each in operations.done if each.namespace == "aten" and not each.is_view)


@contextlib.contextmanager
def from_nowhere(*_: Any) -> Iterator[None]:
    """PEFT decomposes the matrices itself: of shapes alone that takes no time."""
    yield


def stay(module: torch.nn.Module, *_: Any, **__: Any) -> torch.nn.Module:
    """The model is where it is to be: without numbers its tensors cannot change places."""
    return module
