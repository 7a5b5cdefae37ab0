"""scripts/gpu_check rehearsed on a processor: the same path, the genuine libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def gpu_check(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/gpu_check", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.needs("torch", "mini_trainer")
def test_a_rehearsal_measures_what_is_here_and_names_what_is_missing(tiny: Path, tmp_path: Path) -> None:
    cells = ["--cells", "sft/mini-trainer,lora_sft/unsloth"]
    done = gpu_check("--rehearse", *cells, f"--model={tiny}", f"--output={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu_check.json").read_text())
    assert found["rehearsed"] is True
    assert found["gpus"] == []
    script, unsloth = found["pairs"]
    assert script["status"] == "ok", script
    assert len(script["first_losses"]) == 3
    assert all(5 < loss < 6 for loss in script["first_losses"])  # the model knows nothing: ln(327) is 5.79
    assert min(script["tokens_per_second"], script["peak_memory_gb"], script["seconds"]) > 0
    assert script.get("library_seconds", 0) > 0, script
    assert 0 < script["utilisation"] < 1
    assert unsloth["status"] == "missing"
    assert "unsloth" in unsloth["reason"]
    table = (tmp_path / "gpu_check.md").read_text()
    assert "a processor, rehearsed: the numbers mean nothing" in table
    assert table.count("\n| `") == 2
    assert table in done.stdout


def test_without_a_gpu_it_says_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = gpu_check()
    assert (done.returncode, done.stderr) == (2, "no CUDA GPU here; try the way with --rehearse\n")
