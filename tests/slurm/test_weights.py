"""A job whose weights would be refused in its first minute is not submitted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.slurm.conftest import hub
from tests.workers.conftest import conversation
from training_hub.launchers.slurm import cluster

pytestmark = [pytest.mark.usefixtures("slurm"), pytest.mark.needs("torch", "trl")]


@pytest.fixture
def place(tiny: Path, tmp_path: Path) -> Path:
    """A folder with rows and a model without one of its tensors."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny, tmp_path / "short")
    tensors = load_file(tiny / "model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, tmp_path / "short" / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(conversation(number)) + "\n" for number in range(12)))
    return tmp_path


def jobs() -> set[str]:
    """The numbers of all jobs that SLURM knows; those of other tests may be forgotten meanwhile."""
    return set(str(cluster.ask("squeue", "-h", "-t", "all", "-o", "%i")).split())


@pytest.mark.parametrize("words", [["wait=true"], ["wait=false"], ["-m", "seed=1,2"]])
def test_weights_that_are_not_the_models_are_refused_before_a_job_is_submitted(place: Path, words: list[str]) -> None:
    before = jobs()
    given = ["model_path=short", "data_path=rows.jsonl", "output_dir=out", "launcher=slurm", "recipe.bf16=false"]
    done = hub(*words, *given, cwd=place)
    assert done.stderr.splitlines() == [
        "model_path=short: its tensors are not those of LlamaForCausalLM: 1 missing "
        "(model.layers.0.mlp.up_proj.weight); the checkpoint is incomplete: save, convert or download it again"
    ]
    assert done.returncode == 2
    assert jobs() <= before
    assert not (place / "out").exists()
