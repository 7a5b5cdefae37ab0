"""Orthogonal subspace fine-tuning (Nayak et al. 2025, arXiv 2504.07097) on PEFT's OSF layers.

A matrix is W = U_high S_high V_high + U_low S_low V_low, its singular directions in two groups, the strongest first.
The low ones are trained under two conditions: U_low stays orthogonal to U_high, V_low to V_high. PEFT projects the
gradients accordingly, but AdamW then scales each of their entries by itself, which turns them out of the subspace: up
to a fifth of an update leaks. So the parameters are projected too, after each step.

PEFT trains the low parts themselves. Here its parameters hold what was added to them, 0 at first: after a few steps
that is a ten thousandth of the parts, and float32 would round it in every direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from peft import OSFConfig, PeftModel
from peft.tuners.osf.layer import Linear as OSFLinear
from transformers import PreTrainedModel, TrainerCallback

from training_hub.errors import ConfigError, enumerate_names, fault, suggestion
from training_hub.trainers.base import LANGUAGE_MODEL, ModelKind
from training_hub.workers.adapters import svd
from training_hub.workers.adapters.methods import arguments, wrapped

NAME = "default"  # of the adapter, as PEFT calls the first one


class Split(OSFLinear):
    """An OSF layer that computes its weight once for a step, where PEFT's has two further products for each token.

    While training, `dense` collects the gradient of the weight over all micro-batches, and `complete_gradients` passes
    it on to the parameters. While not, it is kept as long as it is right: generating asks for it at every token.
    """

    base_layer: Any
    osf_svd_params: Any
    dense: torch.Tensor | None = None
    made: torch.Tensor | None = None  # the same, with the parameters that it was made from

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """Apply W as it is now; shapes (..., in_features) -> (..., out_features)."""
        if self.training and self.made is None:
            with torch.enable_grad():
                self.made = self.weight_now()
            self.dense = self.made.detach().requires_grad_()
        elif self.dense is None:
            self.dense = self.weight_now().detach()
        assert self.dense is not None
        return F.linear(x, self.dense, self.base_layer.bias)

    def weight_now(self) -> torch.Tensor:
        """The original weight and what was learned."""
        weight: torch.Tensor = self.base_layer.weight + self.get_delta_weight(NAME)
        return weight

    def get_delta_weight(self, adapter_name: str) -> torch.Tensor:
        """(U + dU) (S + dS) (V + dV) - U S V, as products with what was added, so that nothing large cancels."""
        added = self.osf_svd_params[adapter_name]
        u, s, v = (getattr(self, f"_osf_{part}_low_init")[adapter_name] for part in "USV")
        du, ds, dv = (added[f"{part}_low"] for part in "USV")
        change: torch.Tensor = torch.cat([du * (s + ds) + u * ds, u * s], dim=1) @ torch.cat([v + dv, dv])
        return change

    @torch.no_grad()
    def project(self) -> None:
        """Take out of dU and dV what lies in the subspaces that must stay."""
        added = self.osf_svd_params[NAME]
        added["U_low"].sub_(self.in_high(added["U_low"], "U"))
        added["V_low"].sub_(self.in_high(added["V_low"].T, "V").T)

    def in_high(self, columns: torch.Tensor, side: str) -> torch.Tensor:
        """The part of columns (size of the side, n) in the span of U_high, or of V_high.

        PEFT keeps a basis of it only where U_low, or V_low, does not have all the other directions.
        """
        high = getattr(self, f"_osf_{side}_high")
        if NAME in high:
            basis = high[NAME] if side == "U" else high[NAME].T
            part: torch.Tensor = basis @ (basis.T @ columns)
            return part
        basis = self._osf_U_low_init[NAME] if side == "U" else self._osf_V_low_init[NAME].T
        rest: torch.Tensor = basis @ (basis.T @ columns)
        return columns - rest


class Project(TrainerCallback):
    """Projects the parameters after each step of the optimizer."""

    def on_optimizer_step(self, *_: Any, model: Any = None, **__: Any) -> None:
        """Called on every rank; all have the same parameters and get the same again."""
        for _name, layer in layers(model):
            layer.project()


def how_to_load(config: dict[str, Any], resolved: dict[str, Any]) -> dict[str, Any]:
    """Arguments of from_pretrained: as for training all weights."""
    return {}


def callbacks() -> list[TrainerCallback]:
    """What the trainer has to do beside."""
    return [Project()]


def complete_gradients(model: PeftModel) -> None:
    """From the gradients of the weights to those of the parameters: one pass for all micro-batches of a step."""
    split = [layer for _name, layer in layers(model)]
    pairs = [(layer.made, layer.dense.grad) for layer in split if layer.made is not None and layer.dense is not None]
    torch.autograd.backward([made for made, _ in pairs], [grad for _, grad in pairs])
    for layer in split:
        layer.made = layer.dense = None


def add(model: PreTrainedModel, config: dict[str, Any], kind: ModelKind = LANGUAGE_MODEL) -> PeftModel:
    """The model with its matrices split. ConfigError where they cannot be."""
    names, given = targets(model, config["adapter"]["target_patterns"]), arguments(config)
    how = OSFConfig(**given, target_modules=names, task_type=kind.task)
    with svd.from_cache(model, names, config["data"]["cache_dir"]):
        try:
            split = wrapped(model, how)
        except ValueError as error:
            rule = f"leaves nothing to keep, or nothing to train, of a matrix: {str(error).splitlines()[0]}"
            raise ConfigError(fault("unfreeze_rank_ratio", 1 - given["effective_rank"], rule)) from error
    for layer in split.modules():
        if isinstance(layer, OSFLinear):
            layer.__class__ = Split
            parameters: Any = layer.osf_svd_params[NAME]
            for added in parameters.values():
                torch.nn.init.zeros_(added)
    return split


def targets(model: PreTrainedModel, patterns: list[str] | None) -> list[str]:
    """Names of the linear layers to split: those whose name has a pattern in it; null: all but the head."""
    head = model.get_output_embeddings()
    linear = [name for name, each in model.named_modules() if isinstance(each, torch.nn.Linear) and each is not head]
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    for pattern in patterns or ():
        if not any(pattern in name for name in linear):
            way = suggestion(pattern, kinds) or f"its linear layers are {enumerate_names(kinds)}"
            raise ConfigError(fault("target_patterns", pattern, "matches no linear layer of the model", way))
    return [name for name in linear if patterns is None or any(pattern in name for pattern in patterns)]


def layers(model: torch.nn.Module) -> Iterator[tuple[str, Split]]:
    """The split layers and their names in the plain model."""
    for name, layer in model.named_modules():
        if isinstance(layer, Split):
            yield name.removeprefix("module.").removeprefix("base_model.model."), layer


@torch.no_grad()
def measured(model: PeftModel, config: dict[str, Any], dtype: torch.dtype | None) -> dict[str, float]:
    """Leakage, the worst over all matrices, of the weights as they are saved: |U_high.T D| / |D| and |D V_high| / |D|.

    D is what was added to a matrix. Rounding to dtype is part of it.
    """
    worst = {"leakage_u": 0.0, "leakage_v": 0.0}
    for _name, layer in layers(model):
        before = layer.base_layer.weight
        change = layer.weight_now().to(dtype or torch.float32).float() - before
        size = change.norm().clamp(min=torch.finfo(torch.float32).tiny)
        worst["leakage_u"] = max(worst["leakage_u"], float(layer.in_high(change, "U").norm() / size))
        worst["leakage_v"] = max(worst["leakage_v"], float(layer.in_high(change.T, "V").norm() / size))
    return worst


@torch.no_grad()
def finished(model: PeftModel, config: dict[str, Any], dtype: torch.dtype | None, kind: ModelKind) -> PreTrainedModel:
    """The plain model with what was learned in its weights."""
    plain: PreTrainedModel = model.merge_and_unload()
    return plain if dtype is None else torch.nn.Module.to(plain, dtype)
