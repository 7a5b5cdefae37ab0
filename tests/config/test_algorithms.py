"""What the front refuses of lora_sft, osft and dpo, and of an adapter, each in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training_hub import train
from training_hub.errors import ConfigError

Refused = Callable[[str], list[str]]
TURNS = [{"role": "user", "content": "How many legs has a spider?"}, {"role": "assistant", "content": "Eight."}]
WRONG = [{"role": "assistant", "content": "Six."}]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """The faults of a command, [] where it could be run."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": TURNS}) + "\n")
    pair = {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": WRONG}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    (tmp_path / "same.jsonl").write_text(json.dumps(pair | {"rejected": TURNS[1:]}) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training_hub.machine.hardware.gpus", list)

    def faults(command: str) -> list[str]:
        data = "pairs.jsonl" if "dpo" in command else "rows.jsonl"
        words = command.split()
        words += [] if "data_path" in command else [f"data_path={data}"]
        try:
            train.plan(train.composed(["model_path=model", *words]))
        except ConfigError as error:
            return list(error.faults)
        return []

    return faults


@pytest.mark.parametrize(
    "command",
    [
        "algorithm=lora_sft",
        "algorithm=lora_sft lora_r=4 target_modules=[q_proj] rank_pattern={q_proj:2} adapter.peft.bias=all",
        "algorithm=lora_sft init_lora_weights=pissa_niter_16 merge=true",
        "algorithm=sft adapter=lora lora_r=4",
        "algorithm=osft backend=trl unfreeze_rank_ratio=0.25",
        "algorithm=dpo",
        "algorithm=dpo adapter=lora lr=1e-5 loss_type=[sigmoid,hinge] loss_weights=[1.0,0.5]",
        "algorithm=dpo loss_type=robust label_smoothing=0.1",
        "algorithm=dpo adapter=lora lora_dropout=0.1 recipe.disable_dropout=false",
    ],
)
def test_what_goes_together_is_planned(refused: Refused, command: str) -> None:
    assert refused(command) == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("algorithm=lora_sft lora_r=0", "lora_r=0: must be greater than 0"),
        ("algorithm=lora_sft rank_pattern={q_proj:0}", "rank_pattern={'q_proj': 0}: must be greater than 0"),
        ("algorithm=lora_sft lora_dropout=1", "lora_dropout=1: must be less than 1"),
        (
            "algorithm=lora_sft adapter=none",
            "adapter=none: algorithm=lora_sft trains one; drop it, or use algorithm=sft",
        ),
        ("algorithm=lora_sft lora_rank=4", "lora_rank=4: no such parameter; use lora_r=4"),
        (
            "algorithm=lora_sft adapter.peft.lora_alhpa=4",
            "adapter.peft.lora_alhpa=4: no such parameter; did you mean adapter.peft.lora_alpha?",
        ),
        (
            "algorithm=lora_sft adapter.peft.inference_mode=true",
            "adapter.peft.inference_mode=true: the project's worker sets this; drop it",
        ),
        ("algorithm=lora_sft adapter.peft.lora_bias=7", "adapter.peft.lora_bias=7: the library wants bool"),
        (
            "algorithm=lora_sft init_lora_weights=pissa",
            "init_lora_weights=pissa: changes the model's own weights, so that the adapter alone would not fit the "
            "model; add merge=true",
        ),
        (
            "algorithm=lora_sft loftq_config={loftq_bits:4}",
            "loftq_config={'loftq_bits': 4}: init_lora_weights=true does not use it; drop it",
        ),
        (
            "algorithm=lora_sft init_lora_weights=loftq merge=true loftq_config={loftq_bits:4}",
            "init_lora_weights=loftq: PEFT computes it on a GPU only, none here; use pissa or olora",
        ),
        (
            "algorithm=lora_sft load_in_4bit=true load_in_8bit=true",
            "load_in_8bit=true: load_in_4bit=true is set as well; keep one of the two",
        ),
        ("algorithm=sft lora_r=8", "lora_r=8: sft has no such parameter; it belongs to adapter=lora"),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=0.2 lora_r=8",
            "lora_r=8: osft has no such parameter; it belongs to algorithm=lora_sft",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=0.2 adapter=lora",
            "adapter=lora: algorithm=osft trains no adapter; drop it",
        ),
        (
            "algorithm=sft backend=instructlab-training adapter=lora",
            "adapter=lora: backend=instructlab-training trains no adapter; drop it, or use backend=trl",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=0",
            "unfreeze_rank_ratio=0: nothing would be trained; give more than 0",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=1",
            "unfreeze_rank_ratio=1: nothing of the matrices would be kept; use algorithm=sft, which trains all of it",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=1.5",
            "unfreeze_rank_ratio=1.5: must be less than or equal to 1",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=0.5 model.dtype=bfloat16",
            "model.dtype=bfloat16: too coarse to keep what must stay; drop it, osft takes float32",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=0.5 adapter.peft.target_modules=[q]",
            "adapter.peft.target_modules=[q]: the project's worker sets this; use target_patterns",
        ),
        (
            "algorithm=osft backend=trl unfreeze_rank_ratio=0.5 recipe.ddp_find_unused_parameters=true",
            "recipe.ddp_find_unused_parameters=true: osft has its gradients only after the last backward pass, by when "
            "that search is over; drop it",
        ),
        ("algorithm=dpo beta=0", "beta=0: must be greater than 0"),
        ("algorithm=dpo packing=true", "packing=true: the answers of a pair are compared in a padded batch; drop it"),
        (
            "algorithm=dpo label_smoothing=0.1",
            "label_smoothing=0.1: loss_type=sigmoid does not use it; use loss_type=robust, or drop it",
        ),
        (
            "algorithm=dpo loss_type=exo_pair",
            "loss_type=exo_pair: needs label_smoothing; add label_smoothing=1e-3",
        ),
        (
            "algorithm=dpo loss_type=[sigmoid,hinge] loss_weights=[1.0]",
            "loss_weights=[1.0]: there are 2 losses; give one weight for each",
        ),
        (
            "algorithm=dpo adapter=lora lora_dropout=0.1",
            "lora_dropout=0.1: dpo switches dropout off; add recipe.disable_dropout=false, or drop it",
        ),
        (
            "algorithm=dpo recipe.sync_ref_model=true",
            "recipe.sync_ref_model=true: the project's worker sets this; drop it",
        ),
        (
            "algorithm=dpo data_path=rows.jsonl",
            "data_path=rows.jsonl: the rows have the format messages, this algorithm reads preference",
        ),
        (
            "algorithm=dpo data_path=same.jsonl",
            'data_path=same.jsonl: line 1: "chosen" equals "rejected" (1 of 1 lines)',
        ),
    ],
)
def test_what_does_not_is_one_line(refused: Refused, command: str, fault: str) -> None:
    assert refused(command)[:1] == [fault]


def test_a_loss_that_is_no_mean_over_pairs_is_refused(refused: Refused) -> None:
    [fault] = refused("algorithm=dpo loss_type=aot")
    assert fault.startswith("loss_type=aot: must be 'sigmoid', 'sigmoid_norm', 'hinge'")


def test_an_unused_parameter_of_an_experiment_is_refused_with_its_line(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 3\nmax_steps: 3\n")
    composition = train.composed(
        ["model_path=model", "data_path=rows.jsonl", "backend=instructlab-training", "experiment=mine"],
        [str(tmp_path / "conf")],
    )
    with pytest.raises(ConfigError) as error:
        train.plan(composition)
    rule = "algorithm=sft on backend=instructlab-training does not use it"
    assert f"max_steps=3: {rule} (experiment/mine.yaml, line 3); drop it" in error.value.faults
