"""`estimate` as it is typed, from the command to the worker and back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workers.conftest import conversation

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch", "transformers", "trl")]
Estimate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def estimate(tiny: Path, tmp_path: Path) -> Estimate:
    """Run it on the tiny model and 40 conversations."""
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(conversation(number))}\n" for number in range(40)))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        given = [f"model_path={tiny}", "data_path=rows.jsonl", "data.cache_dir=cache", "max_tokens_per_gpu=64"]
        return subprocess.run(
            [sys.executable, "-m", "training_hub", "estimate", *given, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_memory_is_that_of_a_step_of_the_rows(estimate: Estimate) -> None:
    done = estimate("gpu_memory_gib=80")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sft on trl: 29,056 weights, 29,056 of them trained\none process on a GPU, 6" in done.stdout
    assert "\nfits: the GPU has 85.9 GB\n" in done.stdout


def test_the_time_is_that_of_the_whole_run(estimate: Estimate, tmp_path: Path) -> None:
    done = estimate("num_epochs=3", "time=true", "steps=2", "eval_fraction=0.2", "output_dir=run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\ntraining a few steps\n" in f"\n{done.stdout}"
    assert "  12 steps, " in done.stdout
    assert "  2 evaluations\n" in done.stdout
    assert "\nthe run will take " in done.stdout
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".estimate*"))
