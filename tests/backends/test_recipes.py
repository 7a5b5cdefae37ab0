"""Every option of a library's script is mapped, reachable or accounted for, and arrives as it was given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.verbs.conftest import folder, here  # noqa: F401  fixtures
from training_hub import train
from training_hub.backends.instructlab_training import InstructLabTrainingBackend
from training_hub.backends.mini_trainer import MiniTrainerBackend
from training_hub.config.check import check
from training_hub.errors import ConfigError
from training_hub.installed import signature

MINI, INSTRUCTLAB = "mini_trainer.train", "instructlab.training.main_ds"
PAIRS = {
    "sft on mini-trainer": (["backend=mini-trainer"], MINI),
    "osft on mini-trainer": (["algorithm=osft", "unfreeze_rank_ratio=0.3"], MINI),
    "sft on instructlab-training": (["backend=instructlab-training"], INSTRUCTLAB),
}
VALUES = {"int": "3", "float": "0.5", "bool": "true", "str": "abc", "TrainingMode": "token", "list[str]": "[a,b]"}
GIVEN = ["model_path=model", "data_path=rows.jsonl", "output_dir=run", "backend.needs_gpu=false"]

pytestmark = pytest.mark.needs("mini_trainer", "instructlab")


def faults(*typed: str) -> list[str]:
    composition = train.composed([*GIVEN, *typed])
    return check(composition)


def script(*typed: str) -> list[str]:
    """The script's command, from `-m` on."""
    [command] = train.plan(train.composed([*GIVEN, *typed])).spec.commands
    return list(command[len(command) - command[::-1].index("-m") - 1 :])


def free(pair: str) -> dict[str, str]:
    """Options of the script that are neither in the recipe nor the worker's own, with their types."""
    typed, module = PAIRS[pair]
    composition = train.composed([*GIVEN, *typed])
    backend = composition.classes.backend
    taken = {*composition.cfg.recipe, *backend.reserved, *backend.broken}
    options = signature.arguments(module)
    assert options is not None
    return {name: kind for name, kind in options.items() if name not in taken}


@pytest.mark.parametrize("pair", PAIRS)
def test_every_line_of_the_recipe_is_an_option_of_the_script(pair: str) -> None:
    typed, module = PAIRS[pair]
    recipe = train.composed([*GIVEN, *typed]).cfg.recipe
    assert set(map(str, recipe)) - {"_target_"} <= set(signature.arguments(module) or ())


@pytest.mark.parametrize("pair", PAIRS)
def test_every_other_option_can_be_given_and_reaches_the_command(pair: str) -> None:
    values = {name: VALUES[kind.removesuffix(" | None")] for name, kind in free(pair).items()}
    typed = [f"recipe.{name}={value}" for name, value in values.items()]
    assert faults(*PAIRS[pair][0], *typed) == []
    given = {word.partition("=")[0].lstrip("-").replace("-", "_") for word in script(*PAIRS[pair][0], *typed)}
    assert values.keys() <= given


@pytest.mark.parametrize(
    ("backend", "name"),
    [(each, name) for each in (MiniTrainerBackend, InstructLabTrainingBackend) for name in each.reserved],
)
def test_what_the_worker_sets_is_refused_with_what_to_use_instead(backend: Any, name: str) -> None:
    found = faults(f"backend={backend.name}", f"recipe.{name}=1")
    instead = f"use {backend.reserved[name]}" if backend.reserved[name] else "drop it"
    assert f"recipe.{name}=1: the project's worker sets this; {instead}" in found


@pytest.mark.parametrize(
    ("backend", "name"),
    [(each, name) for each in (MiniTrainerBackend, InstructLabTrainingBackend) for name in each.broken],
)
def test_what_the_script_does_wrongly_is_refused_with_the_reason(backend: Any, name: str) -> None:
    options = signature.arguments(MINI if backend is MiniTrainerBackend else INSTRUCTLAB) or {}
    value = VALUES[options[name].removesuffix(" | None")]
    with pytest.raises(ConfigError) as refused:
        script(f"backend={backend.name}", f"recipe.{name}={value}")
    [text] = refused.value.faults
    assert text.endswith(f": {backend.broken[name]}")
    assert text.startswith(f"recipe.{name}=")


def test_every_field_of_mini_trainers_own_arguments_is_known() -> None:
    fields = signature.arguments("mini_trainer.training_types.TrainingArgs") or {}
    assert len(fields) > 40
    assert set(fields) <= {*(signature.arguments(MINI) or ()), *MiniTrainerBackend.reserved}


# Field of instructlab-training's TrainingArgs -> option of its script, or the parameter that takes its place.
FIELDS = {
    "model_path": "model_name_or_path", "ckpt_output_dir": "output_dir", "random_seed": "seed",
    "warmup_steps": "num_warmup_steps", "adamw_betas": "adamw_beta1", "mock_data_len": "mock_len",
    "distributed_backend": "distributed_training_framework", "deepspeed_options": "cpu_offload_optimizer",
    "fsdp_options": "fsdp_sharding_strategy", "lora": "lora_r", "pretraining_config": "block_size",
    "chat_tmpl_path": "chat_tmpl_path", "use_legacy_tmpl": "chat_tmpl_path",
}  # fmt: skip
# Fields of the data processing, which the project does itself, and one that no script knows.
NOT_THE_SCRIPTS = {"data_output_dir", "max_seq_len", "process_data", "data_process_num_cpu_procs", "is_padding_free"}


def test_every_field_of_instructlabs_own_arguments_is_known() -> None:
    fields = set(signature.arguments("instructlab.training.config.TrainingArgs") or ())
    assert len(fields) > 40
    assert {FIELDS.get(name, name) for name in fields - NOT_THE_SCRIPTS} <= set(signature.arguments(INSTRUCTLAB) or ())


@pytest.mark.slow
def test_mini_trainers_parser_returns_what_was_given(here: Path) -> None:  # noqa: F811
    own = ["beta1=0.81", "beta2=0.92", "eps=1e-7", "weight_decay=0.03", "lr_scheduler_kwargs={num_cycles:2}"]
    further = {name: VALUES[kind.removesuffix(" | None")] for name, kind in free("osft on mini-trainer").items()}
    typed = [*PAIRS["osft on mini-trainer"][0], *own, *(f"recipe.{name}={value}" for name, value in further.items())]
    words = script(*typed)
    code = (
        "import json, sys, typer; from mini_trainer.train import app\n"
        "context = typer.main.get_command(app).make_context('train', sys.argv[1:])\n"
        "print('PARSED' + json.dumps(context.params, default=str))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words[2:]], capture_output=True, text=True, check=True)
    parsed = json.loads(done.stdout.partition("PARSED")[2])
    recipe = train.plan(train.composed([*GIVEN, *typed])).config["recipe"]
    expected = {name: value for name, value in recipe.items() if name != "_target_" and value is not None}
    expected["lr_scheduler_kwargs"] = '{"num_cycles": 2}'
    assert {name: parsed[name] for name in expected} == expected
    assert parsed["data_path"] == str(here / "run/prepared/train.jsonl")
    assert parsed["osft_target_patterns"].startswith("self_attn.q_proj,")
