"""A data format that an installed package brings, through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROW = {"question": "one two", "rationale": "three four", "answer": "five"}
Hub = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hub(extension: Path, tiny: Path, tmp_path: Path) -> Hub:
    """Run a verb on `rows.jsonl`, with the example of an extension installed."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(extension), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        settings = [f"model_path={tiny}", "data_path=rows.jsonl", "data.cache_dir=cache", "max_seq_len=32"]
        command = [sys.executable, "-m", "training_hub", *words, *settings]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return run


def write(folder: Path, *rows: dict[str, Any]) -> None:
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_a_faulty_row_of_its_format_is_one_line(hub: Hub, tmp_path: Path) -> None:
    write(tmp_path, ROW, ROW | {"answer": ""}, ROW | {"rationale": 3})
    done = hub("plan")
    said = 'data_path=rows.jsonl: line 2: "answer" is empty; line 3: "rationale" is not text (2 of 3 lines)\n'
    assert (done.returncode, done.stderr) == (2, said)


def test_a_setting_of_its_format_is_checked(hub: Hub, tmp_path: Path) -> None:
    write(tmp_path, ROW)
    done = hub("plan", "data.formats.rationale.before_anser=x")
    assert done.returncode == 2
    assert "did you mean data.formats.rationale.before_answer?" in done.stderr


@pytest.mark.needs("torch", "transformers")
def test_validate_shows_its_rows(hub: Hub, tmp_path: Path) -> None:
    write(tmp_path, ROW)
    done = hub("validate", "data.formats.rationale.before_answer=six")
    assert done.returncode == 0, done.stderr
    assert "rows.jsonl  (rationale)" in done.stdout
    assert "<|user|>one two</s><|assistant|>[three four" in done.stdout
    assert "six" in done.stdout


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "trl")
def test_sft_trains_on_its_rows_and_estimate_answers(hub: Hub, tmp_path: Path) -> None:
    write(tmp_path, *[ROW] * 16)
    estimated = hub("estimate")
    assert "in all" in estimated.stdout, estimated.stderr
    done = hub("train", "lr=1e-2", "effective_batch_size=4", "output_dir=run")
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["data"]["train"]["format"] == "rationale"
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metrics"]["final_loss"] < result["metrics"]["first_loss"]
