"""What editors and type checkers see of the functions."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import training_hub
from training_hub import TrainResult, sft

ROOT = Path(__file__).parents[2]
RIGHT = """
from pathlib import Path
from training_hub import TrainResult, dpo, lora_sft, osft, plot_loss, sft

result: TrainResult = sft("model", Path("train.jsonl"), lr=1, num_epochs=2, data={"too_long": "error"})
lora_sft(model_path="m", data_path="d", ckpt_output_dir="c", lora_r=8, target_modules=("q_proj",), load_in_4bit=None)
osft("m", "d", "c", unfreeze_rank_ratio=0.25, nproc_per_node="gpu", wandb_project="mine", backend="mini-trainer")
dpo("m", "d", loss_type=["sigmoid", "ipo"], adapter="lora", lora_r=8, launcher="slurm", nodes=2)
print(result.status.upper(), plot_loss("c", labels=["first"]))
plot_loss(Path("c"), output_path=Path("c.png"), metrics_file=Path("log.jsonl"), metric_keys=["loss"], show=False)
sft("m", "d", verbose=False)
"""
WRONG = {
    "sft(model_pth='m', data_path='d')": "model_pth",
    "sft('m')": "data_path",
    "sft('m', 'd', lr='high')": "lr",
    "sft('m', 'd', unfreeze_rank_ratio=0.5)": "unfreeze_rank_ratio",
    "sft('m', 'd', lora_rank=8)": "lora_rank",
    "dpo('m', 'd', loss_type='sigmoyd')": "loss_type",
    "osft('m', 'd', 'c', 2)": "positional",
    "sft('m', 'd', verbose='no')": "verbose",
    "plot_loss('c', metric_keys=3)": "metric_keys",
    "sft('m', 'd').nosuch": "nosuch",
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with one wrong call in each line after the first."""
    file = tmp_path_factory.mktemp("types") / "wrong.py"
    file.write_text("\n".join(["from training_hub import dpo, osft, plot_loss, sft", *WRONG, ""]))
    return file


def said(command: list[str], cwd: Path) -> str:
    env = {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False).stdout


def mypy(file: Path) -> list[tuple[int, str]]:
    out = said([sys.executable, "-m", "mypy", "--strict", "--output", "json", file.name], file.parent)
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return [(each["line"], each["message"]) for each in found if each["severity"] == "error"]


def pyright(file: Path) -> list[tuple[int, str]]:
    (file.parent / "pyrightconfig.json").write_text(
        json.dumps({"extraPaths": [str(ROOT)], "typeCheckingMode": "standard"})
    )
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson", file.name]
    found = json.loads(said(command, file.parent))["generalDiagnostics"]
    return [(each["range"]["start"]["line"] + 1, each["message"]) for each in found if each["severity"] == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_finds_every_wrong_call(checker, wrong: Path) -> None:  # type: ignore[no-untyped-def]
    found = checker(wrong)
    for line, (call, word) in enumerate(WRONG.items(), start=2):
        assert any(word in message for at, message in found if at == line), (call, found)


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_finds_nothing_in_right_calls(checker, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "right.py"
    file.write_text(RIGHT)
    assert checker(file) == []


def test_the_stub_is_what_the_script_makes() -> None:
    code = "import function_stubs as script; print(script.stub(), end='')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=True)
    assert (ROOT / "training_hub" / "__init__.pyi").read_text() == done.stdout


def test_the_stub_offers_what_the_package_offers() -> None:
    lines = (ROOT / "training_hub" / "__init__.pyi").read_text()
    assert all(
        f" as {name}\n" in lines or f"def {name}(" in lines or name == "__version__" for name in training_hub.__all__
    )


def test_help_names_what_comes_back() -> None:
    assert inspect.signature(sft).return_annotation is TrainResult
    assert inspect.signature(sft).parameters["num_epochs"].annotation == float | None
