"""What a backend cannot do, or is known to do wrongly, is one line before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.verbs.conftest import folder, here  # noqa: F401  fixtures
from training_hub import train
from training_hub.backends import script
from training_hub.errors import ConfigError
from training_hub.machine import hardware

GIVEN = ["model_path=model", "data_path=rows.jsonl", "output_dir=run", "backend.needs_gpu=false"]
MINI, INSTRUCTLAB = ["backend=mini-trainer"], ["backend=instructlab-training"]
OSFT = ["algorithm=osft", "unfreeze_rank_ratio=0.5"]
SCHEDULERS = "linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup"

CASES = {
    "another module than the library's script": (
        [*MINI, "recipe._target_=shutil"],
        "recipe._target_=shutil: no script of mini-trainer; drop it",
    ),
    "another module of its library": (
        [*INSTRUCTLAB, "recipe._target_=instructlab.training.config"],
        "recipe._target_=instructlab.training.config: no script of instructlab-training; drop it",
    ),
    "a scheduler that transformers lacks": (
        [*MINI, "lr_scheduler=cosin"],
        "lr_scheduler=cosin: backend=mini-trainer has no such scheduler; did you mean cosine?",
    ),
    "a scheduler that the script does not offer": (
        [*INSTRUCTLAB, "lr_scheduler=greedy"],
        f"lr_scheduler=greedy: backend=instructlab-training has no such scheduler; choose from {SCHEDULERS}",
    ),
    "a callback that would change the course": (
        [*MINI, "callbacks.early_stopping.metric=loss", "callbacks.early_stopping.save_best=false"],
        "callbacks.early_stopping._target_=training_hub.callbacks.EarlyStopping: backend=mini-trainer runs its "
        "library's own script, whose course no callback can change; drop it, or use backend=trl",
    ),
    "flash attention that is not there": (
        [*MINI, "model.attn_implementation=flash_attention_2"],
        "model.attn_implementation=flash_attention_2: flash-attn is not installed; "
        "pip install flash-attn, or model.attn_implementation=auto",
    ),
    "another attention": (
        [*INSTRUCTLAB, "model.attn_implementation=eager"],
        "model.attn_implementation=eager: backend=instructlab-training has no such choice; "
        "choose from auto, flash_attention_2, sdpa",
    ),
    "a revision": (
        [*MINI, "model.revision=v2"],
        "model.revision=v2: backend=mini-trainer loads the main one only; "
        "download that revision and give its folder as model_path",
    ),
    "several processes without flash attention": (
        [*INSTRUCTLAB, "nproc_per_node=2"],
        "nproc_per_node=2: backend=instructlab-training hangs with several processes and without flash attention; "
        "pip install flash-attn, or nproc_per_node=1",
    ),
    "a type of the weights": (
        [*INSTRUCTLAB, "model.dtype=bfloat16"],
        "model.dtype=bfloat16: backend=instructlab-training chooses it itself: float32 weights under bfloat16; drop it",
    ),
    "held-out rows": (
        [*INSTRUCTLAB, "eval_fraction=0.5"],
        "eval_fraction=0.5: backend=instructlab-training cannot evaluate on given rows; "
        "drop it, or use backend=mini-trainer or trl",
    ),
    "held-out rows without a rhythm": (
        [*MINI, "eval_data_path=eval.jsonl"],
        "eval_data_path=eval.jsonl: backend=mini-trainer evaluates in a rhythm only; add eval_steps=N",
    ),
    "part of an epoch": (
        [*MINI, "num_epochs=1.5"],
        "num_epochs=1.5: this backend counts whole epochs; give a whole number, or use backend=trl",
    ),
    "all of each matrix": (
        [*OSFT, "unfreeze_rank_ratio=1"],
        "unfreeze_rank_ratio=1: backend=mini-trainer would train half of each matrix; "
        "use algorithm=sft, which trains all of it",
    ),
    "nothing of each matrix": (
        [*OSFT, "unfreeze_rank_ratio=0"],
        "unfreeze_rank_ratio=0: backend=mini-trainer would train one direction of each matrix; give more than 0",
    ),
    "a parameter that the script has not": (
        [*INSTRUCTLAB, "max_steps=3"],
        "max_steps=3: algorithm=sft on backend=instructlab-training does not use it; drop it",
    ),
    "a norm of the gradient that is fixed": (
        [*MINI, "max_grad_norm=0.5"],
        "max_grad_norm=0.5: algorithm=sft on backend=mini-trainer does not use it; drop it",
    ),
}

pytestmark = pytest.mark.needs("mini_trainer", "instructlab")


def faults(*typed: str) -> list[str]:
    words = list({word.partition("=")[0]: word for word in (*GIVEN, *typed)}.values())
    try:
        train.plan(train.composed(words))
    except ConfigError as error:
        return list(error.faults)
    return []


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_is_refused(name: str) -> None:
    typed, expected = CASES[name]
    assert faults(*typed) == [expected]


@pytest.mark.parametrize("typed", [MINI, INSTRUCTLAB, OSFT, [*MINI, "nproc_per_node=4"], [*MINI, "max_steps=3"]])
def test_what_can_be_is_not(typed: list[str]) -> None:
    assert faults(*typed) == []


@pytest.mark.parametrize("typed", [MINI, INSTRUCTLAB, OSFT])
def test_a_machine_without_a_gpu_is_told_so(typed: list[str]) -> None:
    [text] = faults(*typed, "backend.needs_gpu=true")
    assert ": needs a CUDA GPU; none was found here; " in text


@pytest.mark.parametrize("typed", [MINI, INSTRUCTLAB, OSFT])
def test_more_processes_than_gpus_are_refused(typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "gpus", lambda: [hardware.Gpu("a", 80.0), hardware.Gpu("b", 80.0)])
    monkeypatch.setattr(script, "missing_requirements", lambda *_: [])
    found = faults(*typed, "backend.needs_gpu=true", "nproc_per_node=4", "recipe.seed=1")
    assert "nproc_per_node=4: this machine has 2 GPUs; at most 2" in found


def test_sdpa_is_refused_where_mini_trainer_would_take_flash_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "missing_requirements", lambda *_: [])
    assert faults(*MINI, "model.attn_implementation=sdpa") == [
        "model.attn_implementation=sdpa: backend=mini-trainer takes flash attention wherever flash-attn is installed; "
        "drop it, or pip uninstall flash-attn"
    ]


def architecture(here: Path, name: str) -> None:  # noqa: F811
    (here / "model" / "config.json").write_text(json.dumps({"architectures": [name]}))


def test_an_architecture_that_osft_does_not_know_is_named(here: Path) -> None:  # noqa: F811
    architecture(here, "MambaForCausalLM")
    [text] = faults(*OSFT)
    assert text.startswith("model_path=model: MambaForCausalLM is no architecture that mini-trainer's OSFT knows; add ")
    assert "qwen" in text
    assert faults(*OSFT, "target_patterns=[in_proj,out_proj]") == []


def test_the_patterns_are_those_of_the_architecture_and_not_of_the_path(here: Path) -> None:  # noqa: F811
    # mini-trainer finds `opt` in this path, and would leave the matrices of the MLP without a bound
    (here / "opt").mkdir()
    (here / "model").rename(here / "opt" / "qwen")
    (here / "opt" / "qwen" / "config.json").write_text('{"architectures": ["Qwen2ForCausalLM"]}')
    given = [word for word in GIVEN if not word.startswith("model_path")]
    [command] = train.plan(train.composed([*given, *OSFT, "model_path=opt/qwen"])).spec.commands
    [patterns] = [word for word in command if word.startswith("--osft-target-patterns=")]
    assert "mlp.gate_proj" in patterns


def test_the_script_gets_flash_attention_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    flash = Path(__file__).parent / "flash"
    for expected, path in ((False, []), (True, [str(flash)])):
        with monkeypatch.context() as patch:
            for each in path:
                patch.syspath_prepend(each)
            [command] = train.plan(train.composed([*GIVEN, *INSTRUCTLAB])).spec.commands
        assert ("--disable_flash_attn" not in command) == expected
