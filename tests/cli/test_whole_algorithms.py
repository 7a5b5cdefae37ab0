"""One whole run of each algorithm on TRL, through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.typed import beside
from tests.workers.conftest import conversation
from training_hub.run import RunDir, TrainResult

pytestmark = pytest.mark.needs("trl", "torch", "peft")


# Losses of the first steps, in fp32; another processor's rounding changes the fifth digit.
RECORDED = {
    "lora_sft": [5.7708, 5.6287, 5.7390],
    "osft": [5.7708, 5.7723, 5.7368],
    "dpo": [0.6931, 0.6053, 0.5412],
    "dpo, lora": [0.6931, 0.6469, 0.6296],
}


def pair(number: int) -> dict[str, Any]:
    """A question, its answer, and the answer backwards."""
    question, answer = conversation(number)["messages"]
    backwards = " ".join(reversed(answer["content"].split())) + " no"
    return {"prompt": [question], "chosen": [answer], "rejected": [{"role": "assistant", "content": backwards}]}


@pytest.fixture(scope="module")
def common(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What every run here has in common, and the rows that it reads."""
    folder = tmp_path_factory.mktemp("rows")
    for name, numbers in (("train", range(12)), ("eval", range(100, 105))):
        for kind, row in (("chat", conversation), ("pairs", pair)):
            text = "".join(json.dumps(row(number)) + "\n" for number in numbers)
            (folder / f"{kind}_{name}.jsonl").write_text(text)
    return [
        f"model_path={tiny}", f"data_path={folder}/KIND_train.jsonl", f"eval_data_path={folder}/KIND_eval.jsonl",
        f"data.cache_dir={folder}/cache", "effective_batch_size=4", "num_epochs=3", "lr=1e-2", "warmup_steps=0",
        "recipe.bf16=false", "sample_prompts=['count 3 words']",
    ]  # fmt: skip


def run(common: list[str], kind: str, folder: Path, *words: str) -> TrainResult:
    """Run the command line with the common settings, or others in place of these; the result that it wrote."""
    settings = beside([word.replace("KIND", kind) for word in common], words)
    command = [sys.executable, "-m", "training_hub", *settings, f"output_dir={folder}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = RunDir(folder).read_result()
    assert result is not None
    assert result.status == "completed"
    assert result.metrics["eval_loss_after"] < result.metrics["eval_loss_before"]
    assert [sample["when"] for sample in RunDir(folder).read_samples()] == ["before", "after"]
    return result


def first_losses(folder: Path) -> list[float]:
    return [row["loss"] for row in RunDir(folder).read_metrics() if row["loss"] is not None][:3]


def is_plain_model(path: str | None) -> bool:
    from transformers import AutoModelForCausalLM

    assert path is not None
    return type(AutoModelForCausalLM.from_pretrained(path)).__name__ == "LlamaForCausalLM"


def test_lora_sft(common: list[str], tmp_path: Path) -> None:
    result = run(common, "chat", tmp_path / "out", "algorithm=lora_sft", "merge=true", "use_rslora=true", "lora_r=8")
    assert result.metrics["steps"] == 9
    assert first_losses(tmp_path / "out") == pytest.approx(RECORDED["lora_sft"], abs=1e-3)
    assert is_plain_model(result.checkpoint_path)


def test_osft(common: list[str], tmp_path: Path) -> None:
    words = ("algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.5")
    result = run(common, "chat", tmp_path / "out", *words)
    assert max(result.metrics["leakage_u"], result.metrics["leakage_v"]) < 1e-5
    assert first_losses(tmp_path / "out") == pytest.approx(RECORDED["osft"], abs=1e-3)
    assert is_plain_model(result.checkpoint_path)


def test_a_module_that_the_model_does_not_have_is_one_line(common: list[str], tmp_path: Path) -> None:
    words = [word.replace("KIND", "chat") for word in common]
    command = [sys.executable, "-m", "training_hub", *words, "algorithm=lora_sft", "target_modules=[q_porj]"]
    done = subprocess.run([*command, f"output_dir={tmp_path}/out"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "target_modules=q_porj: matches no linear layer of the model; did you mean q_proj?",
            f"  whole log: {tmp_path}/out/train.log",
        ],
    )


@pytest.mark.parametrize("words", [["lr=5e-3"], ["adapter=lora", "lora_r=4"]])
def test_dpo(common: list[str], tmp_path: Path, words: list[str]) -> None:
    result = run(common, "pairs", tmp_path / "out", "algorithm=dpo", *words)
    assert result.metrics["first_loss"] == pytest.approx(0.6931, abs=1e-3)
    assert (result.metrics["eval_accuracy_before"], result.metrics["eval_accuracy_after"]) == (0.5, 1)
    adapter = Path(str(result.checkpoint_path)) / "adapter_model.safetensors"
    assert adapter.exists() == ("adapter=lora" in words)
    assert first_losses(tmp_path / "out") == pytest.approx(
        RECORDED["dpo, lora" if adapter.exists() else "dpo"], abs=1e-3
    )
    if adapter.exists():
        exported_is_plain(tmp_path / "out", tmp_path / "plain")


def exported_is_plain(folder: Path, place: Path) -> None:
    command = [sys.executable, "-m", "training_hub", "export", str(folder), f"output_dir={place}", "dtype=float32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("The LORA adapter is merged", "loaded again; asked 'count 3 words', it says ", f"NAME {place}"):
        assert text in done.stdout
    assert is_plain_model(str(place))
    assert "trained by dpo with training_hub on trl." in (place / "README.md").read_text()
