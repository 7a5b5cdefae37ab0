"""Adds up what tensors hold while code runs, and remembers the moment when that was most."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

_aten = torch.ops.aten
_INDEXING = (_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default)
KINDS = ("weights", "gradients", "optimizer", "activations", "logits", "workspace")


class Tracker(TorchDispatchMode):
    """Sees every operation. live: bytes of each kind now; peak: when their sum was most.

    vocabulary: last size of what counts as logits. What an operation needs inside of itself is not seen.
    Of tensors without numbers, one that is asked for is 1, and of a mask that is asked for its places, a share is set.
    """

    def __init__(self, vocabulary: int, share: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.vocabulary, self.share = vocabulary, share
        self.live: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self._most = 0
        self._known: Any = WeakIdKeyDictionary()  # storage -> [kind, bytes]

    def know(self, tensors: Iterable[torch.Tensor], kind: str) -> None:
        """Say of what kind tensors are, seen before or not."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if entry := self._known.get(storage):
                self.live[entry[0]] -= entry[1]
                self.live[kind] += entry[1]
                entry[0] = kind
            else:
                self._add(storage, kind)

    def know_model(self, model: torch.nn.Module) -> None:
        """The weights of a model, and their gradients as soon as they are complete."""
        self.know([*model.parameters(), *model.buffers()], "weights")
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._know_gradient)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and see what it has made."""
        if func is _aten._local_scalar_dense.default:
            return {torch.bool: True}.get(args[0].dtype, 1.0 if args[0].dtype.is_floating_point else 1)
        if func in _INDEXING:
            args = (args[0], self._places(args[1]), *args[2:])
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor)
        return made

    def _places(self, indices: Any) -> list[Any]:
        """Indices with places instead of masks."""
        found: list[Any] = []
        for each in indices:
            if each is None or each.dtype is not torch.bool:
                found.append(each)
            else:
                count = round(self.share * each.numel())
                found += [each.new_empty((count,), dtype=torch.int64) for _ in each.shape]
        return found

    def _see(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self._known:
            self._add(storage, self._kind(tensor))

    def _kind(self, tensor: torch.Tensor) -> str:
        if tensor.ndim > 1 and tensor.shape[-1] == self.vocabulary and tensor.is_floating_point():
            return "logits"
        in_backward = torch._C._current_graph_task_id() != -1
        return "workspace" if in_backward or not torch.is_grad_enabled() else "activations"

    def _add(self, storage: Any, kind: str) -> None:
        entry = [kind, storage.nbytes()]
        self._known[storage] = entry
        weakref.finalize(storage, self._forget, entry)
        self.live[kind] += entry[1]
        if (total := self.live.total()) > self._most:
            self._most, self.peak = total, Counter(self.live)

    def _forget(self, entry: list[Any]) -> None:
        self.live[entry[0]] -= entry[1]

    def _know_gradient(self, parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        self.know([parameter.grad], "gradients")
