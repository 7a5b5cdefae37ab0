"""What the genuine scripts would train wrongly is refused before they start, and what they ruin is not published."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.conftest import COMMON, environment
from training_hub.run import RunDir

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch", "mini_trainer", "instructlab")]
BACKENDS = ["mini-trainer", "instructlab-training"]
LOGGERS = {"instructlab-training": ["logger=[jsonl,tensorboard]"], "mini-trainer": []}


def train(place: Path, backend: str, name: str, *typed: str) -> tuple[int, str, RunDir]:
    words = [*COMMON, *LOGGERS[backend], f"backend={backend}", "checkpoint_at_epoch=true", f"output_dir={name}", *typed]
    words = list({word.partition("=")[0]: word for word in words}.values())
    command = [sys.executable, "-m", "training_hub", *words]
    done = subprocess.run(command, cwd=place, env=environment("flash"), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, RunDir(place / name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_script_does_not_start_with_weights_that_are_not_the_models(place: Path, backend: str) -> None:
    from safetensors.torch import load_file, save_file

    short = place / f"short-{backend}"
    shutil.copytree(place / "model", short)
    tensors = load_file(short / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, short / "model.safetensors")
    status, said, run = train(place, backend, f"refused-{backend}", f"model_path={short}")
    assert (status, "1 missing (lm_head.weight)" in said) == (2, True), said
    assert run.read_metrics() == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_that_a_script_has_ruined_is_published(place: Path, backend: str) -> None:
    from training_hub.workers import finite

    typed = ["lr=1e30", "warmup_steps=0", "lr_scheduler=constant"]
    status, said, run = train(place, backend, f"ruined-{backend}", *typed)
    assert status == 1, said
    assert "not a number at step" in said or "holds NaN or infinity after step" in said
    result = run.read_result()
    assert result is not None
    assert result.status == "failed"
    assert finite.of_folder(run.checkpoints) is None
    assert not run.final_checkpoint.exists()
