"""What differs between the versions of Hydra and OmegaConf that are allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training_hub import train
from training_hub.verbs.explain.translation import explain

VERBS = ["explain", "--help", "--cfg job", "--info defaults"]


@pytest.mark.parametrize("verb", VERBS)
def test_no_version_of_hydra_warns(verb: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "training_hub", *verb.split()]
    environ = {**os.environ, "HYDRA_DEPRECATION_WARNINGS_AS_ERRORS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("header", ["", "# @package recipe\n"])
def test_a_recipe_lands_in_its_place_with_and_without_a_header(header: str, tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "recipe" / "sft").mkdir(parents=True)
    (tmp_path / "backend" / "mine.yaml").write_text("defaults: [trl]\n")
    recipe = f"{header}defaults: [/recipe/sft/trl@_here_, _self_]\nweight_decay: 0.125\n"
    (tmp_path / "recipe" / "sft" / "mine.yaml").write_text(recipe)
    cfg = train.composed(["backend=mine"], [str(tmp_path)]).cfg
    assert (cfg.recipe._target_, cfg.recipe.weight_decay) == ("trl.SFTConfig", 0.125)
    assert "0.125" in explain(["backend=mine"], [str(tmp_path)])


def test_the_recipe_is_no_choice_of_its_own() -> None:
    assert not [key for key in train.composed([]).choices if key.startswith("recipe")]
