"""Compositions that differ in a few values are those that Hydra would have made one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from training_hub.config.compose import compose
from training_hub.config.composition import Composition
from training_hub.config.variants import Variants
from training_hub.errors import ConfigError
from training_hub.params import Params, aliases

BASE = ["model_path=model", "data_path=rows.jsonl"]
ALIASES = aliases(Params)


@pytest.fixture(scope="module")
def variants() -> Variants:
    return Variants(ALIASES)


def seen(composition: Composition) -> dict[str, Any]:
    """Everything that is made of a composition, but for what the clock puts into it."""
    cfg: Any = OmegaConf.to_container(composition.cfg, resolve=False)
    with composition.resolving() as resolving:
        recipe = OmegaConf.to_container(resolving.recipe, resolve=True)
    return {
        "cfg": cfg,
        "recipe": recipe,
        "order": list(cfg),
        "choices": composition.choices,
        "overrides": composition.overrides,
        "typed": composition.typed,
        "sources": composition.sources,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["lr=2e-5", "seed=3"],
        ["learning_rate=2e-5"],
        ["++lr=2e-5"],
        ["+lr=2e-5"],
        ["lr=${eps}"],
        ["lr_scheduler_kwargs={num_cycles: 2}"],
        ["lr_scheduler_kwargs={power: 2}"],
        ["sample_prompts=['a, b', \"c\"]"],
        ["recipe.optim=sgd", "recipe.no_such=1"],
        ["no_such=1", "data.no_such=1"],
        ["algorithm=lora_sft", "lora_r=4"],
        ["algorithm=lora_sft", "lora_r=8", "adapter.peft.use_rslora=true"],
        ["experiment=quickstart", "num_epochs=1"],
        ["logger=[jsonl,tensorboard]"],
        ["logger=[]", "lr=1"],
        ["eval_data_path='~/rows.jsonl'"],
        ["~recipe.optim", "seed=1"],
        ["hydra.sweep.dir=there", "seed=1"],
        ["model.dtype=float32", "lr="],
    ],
    ids=" ".join,
)
def test_a_variant_is_what_hydra_composes(variants: Variants, words: list[str]) -> None:
    overrides = [*BASE, *words]
    assert seen(variants.compose(overrides)) == seen(compose(overrides, ALIASES, sweep=True))


def test_one_variant_leaves_nothing_in_the_next(variants: Variants) -> None:
    before = seen(variants.compose(BASE))
    variants.compose([*BASE, "lr=1", "lr_scheduler_kwargs={a: 1}", "recipe.new=1", "sample_prompts=[x]"])
    assert seen(variants.compose(BASE)) == before


def test_what_asks_hydra_about_its_job_is_composed_by_hydra(tmp_path: Path) -> None:
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "named.yaml").write_text("# @package _global_\nsample_prompts: ['${hydra:job.override_dirname}']\n")
    variants = Variants(ALIASES, [str(tmp_path)])
    for lr in ("1e-5", "2e-5"):
        composition = variants.compose([*BASE, "experiment=named", f"lr={lr}"])
        with composition.resolving() as cfg:
            assert f"lr={lr}" in cfg.sample_prompts[0]


@pytest.mark.parametrize("words", [["algorithm=sfft"], ["lr=1,2"], ["lr=[1"], ["lr=1", "learning_rate=2"], ["model=3"]])
def test_what_hydra_refuses_is_refused(variants: Variants, words: list[str]) -> None:
    def faults(function: Any, *arguments: Any) -> Sequence[str]:
        with pytest.raises(ConfigError) as refusal:
            function(*arguments)
        return refusal.value.faults

    assert faults(variants.compose, [*BASE, *words]) == faults(compose, [*BASE, *words], ALIASES)
