"""What TRL would find wrong only after loading the model, or would leave out without a word."""

from __future__ import annotations

import pytest

from tests.backends.test_refusals import faults
from tests.verbs.conftest import folder, here  # noqa: F401  fixtures

ATTENTION = "auto, sdpa, eager, flash_attention_2, flash_attention_3, flash_attention_4, flex_attention"
CASES = {
    "a scheduler": ("lr_scheduler=cosinee", "no such choice; did you mean cosine?"),
    "an optimizer": ("recipe.optim=adamw_torch_fussed", "no such choice; did you mean adamw_torch_fused?"),
    "an attention": ("model.attn_implementation=foo", f"no such choice; choose from {ATTENTION}"),
    "flash attention that is not there": (
        "model.attn_implementation=flash_attention_2",
        "flash-attn is not installed; pip install flash-attn, or model.attn_implementation=auto",
    ),
    "a class": ("recipe._target_=os.system", "the trainer SFT takes trl.SFTConfig; drop it"),
    "a revision": (
        "model.revision=v2", "model_path is a folder, and only a model on the hub has revisions; drop it",
    ),
    "evaluations": (
        "eval_steps=5",
        "there are no held-out rows to evaluate on; add eval_data_path=FILE or eval_fraction=0.05",
    ),
    "checkpointing by its newer name": (
        "recipe.activation_checkpointing=false", "the project's worker sets this; use gradient_checkpointing",
    ),
    "a rhythm of saving": (
        "recipe.save_strategy=epoch", "the project's worker sets this; use save_steps or checkpoint_at_epoch",
    ),
    "a rhythm of evaluating": ("recipe.eval_strategy=epoch", "the project's worker sets this; use eval_steps"),
    "a rhythm of logging": ("recipe.logging_strategy=epoch", "the project's worker sets this; use logging_steps"),
}  # fmt: skip

pytestmark = pytest.mark.needs("trl")


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_right_effect_is_refused(name: str) -> None:
    typed, rule = CASES[name]
    assert faults("backend=trl", typed) == [f"{typed}: {rule}"]


@pytest.mark.parametrize(
    "typed",
    [
        ["lr_scheduler=constant_with_warmup", "recipe.optim=sgd", "model.attn_implementation=eager"],
        ["model.attn_implementation=kernels-community/flash-attn2"],
        ["eval_steps=5", "eval_fraction=0.5"],
        ["save_steps=5", "gradient_checkpointing=true"],
    ],
)
def test_what_has_an_effect_is_not(typed: list[str]) -> None:
    assert faults("backend=trl", *typed) == []
