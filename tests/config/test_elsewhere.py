"""Names of other tools: each gets an answer that works here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from training_hub import cli
from training_hub.config import elsewhere
from training_hub.config.elsewhere import _ANSWERS, TOOLS, answer, row

ROOT = Path(__file__).parents[2]
UPSTREAM = ROOT.parent / "shared" / "reference" / "upstream.md"
SETTING = re.compile(r"`((?:[\w.]+=[^\s`]+ ?)+)`")
# What must be chosen for a setting to have an effect.
NEEDS = {
    "lora_": ["algorithm=lora_sft"], "use_dora": ["algorithm=lora_sft"], "use_rslora": ["algorithm=lora_sft"],
    "target_modules": ["algorithm=lora_sft"], "load_in_": ["algorithm=lora_sft"], "merge": ["algorithm=lora_sft"],
    "adapter.": ["algorithm=lora_sft"], "beta=": ["algorithm=dpo"], "loss_type": ["algorithm=dpo"],
    "unfreeze": ["algorithm=osft"], "target_patterns": ["algorithm=osft"], "node": ["nnodes=2"],
    "master_addr": ["nnodes=2", "master_port=1"], "master_port": ["nnodes=2", "master_addr=h"],
    "save_total_limit": ["save_steps=2"], "eval_steps": ["eval_fraction=0.1"],
    "backend=unsloth": ["algorithm=lora_sft"], "document_column": ["is_pretraining=true"],
    "callbacks": ["eval_fraction=0.1", "eval_steps=2"],
}  # fmt: skip


def settings() -> list[str]:
    """Every setting that an answer offers."""
    return sorted(
        {match[1] for text in _ANSWERS.values() for match in SETTING.finditer(text) if "NAME=VALUE" not in text}
    )


@pytest.mark.parametrize("typed", settings())
def test_what_an_answer_offers_can_be_typed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed = [more for start, words in NEEDS.items() if typed.startswith(start) for more in words]
    assert cli.main(["explain", *needed, *typed.split()]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["per_device_train_batch_size", "--per-device-train-batch-size", "BATCH_SIZE"])
def test_a_name_is_known_however_it_is_written(name: str) -> None:
    assert answer(name).startswith("set effective_batch_size")


def test_a_number_takes_the_place_of_the_example_where_only_the_name_differs() -> None:
    assert answer("lora_rank", "8") == "use lora_r=8"
    assert answer("num_train_epochs", "2.5") == "use num_epochs=2.5"
    assert answer("evals_per_epoch", "4") == "use eval_steps=100, in optimizer steps"
    assert answer("flash_attention", "1") == "use model.attn_implementation=flash_attention_2"


def test_a_name_that_no_tool_has_gets_no_answer() -> None:
    assert answer("lerning_rate") == ""


def test_a_name_stands_in_the_table_once() -> None:
    names = [name.strip() for key in _ANSWERS for name in key.split(",")]
    assert sorted(names) == sorted(set(names))


def test_every_name_in_a_row_of_the_page_has_an_answer() -> None:
    assert all(row(entry)[1] for tool in TOOLS for entry in tool.rows)


@pytest.mark.skipif(not UPSTREAM.exists(), reason="the list of the original's parameters is not beside the checkout")
@pytest.mark.parametrize("function", ["sft", "osft", "lora_sft"])
def test_every_parameter_of_the_original_is_taken_or_answered(
    function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part = UPSTREAM.read_text().split(f"`{function}()`\n")[1].split("\n### ")[0]
    names = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    assert len(names) > 30
    cli.main(
        ["explain", f"algorithm={function}", *(f"{name}=0" for name in names if name not in ("backend", "callbacks"))]
    )
    unhelpful = [
        line for line in capsys.readouterr().err.splitlines() if "see --help" in line or "did you mean" in line
    ]
    assert unhelpful == []


def test_the_message_names_what_to_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "r=8", "qlora=true"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "r=8: no such parameter; use lora_r=8",
        "qlora=true: no such parameter; use algorithm=lora_sft load_in_4bit=true",
    ]


def test_the_page_is_what_the_script_makes() -> None:
    code = "import coming_from as script; print(script.updated(script.PAGE.read_text()), end='')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "guides" / "coming-from.md").read_text() == done.stdout


def test_no_answer_is_for_a_name_that_is_a_parameter_here() -> None:
    from training_hub.algorithms.dpo import DPOAlgorithm
    from training_hub.algorithms.osft import OSFTAlgorithm

    own = {*DPOAlgorithm.Params.model_fields, *OSFTAlgorithm.Params.model_fields}
    assert own & set(elsewhere._by_name()) == set()
