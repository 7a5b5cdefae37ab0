"""Jobs: their digests, the names of their folders, and their faults."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from training_hub.cli import main
from training_hub.errors import ConfigError
from training_hub.sweeps.plan import Planner, folder_name


def digests(*every: list[str]) -> list[str]:
    planner = Planner([])
    return [job.digest for words in every for job in planner.jobs([words])]


def test_equal_configs_have_one_digest_however_they_are_typed(words: list[str]) -> None:
    found = digests(
        [*words, "lr=1e-5"], [*words, "learning_rate=0.00001"], ["lr=1e-5", *words], [*words, "output_dir=x", "lr=1e-5"]
    )
    assert len(set(found)) == 1


def test_another_value_is_another_digest(words: list[str]) -> None:
    assert len(set(digests(words, [*words, "lr=2e-5"], [*words, "seed=1"], [*words, "algorithm=lora_sft"]))) == 4


def test_jobs_of_equal_configs_are_one(words: list[str]) -> None:
    assert len(Planner(["lr"]).jobs([[*words, "lr=1e-5"], [*words, "lr=0.00001"]])) == 1


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"lr": "1e-05", "seed": "1"}, "lr=1e-05,seed=1"),
        ({"model_path": "/models/Qwen/Qwen3"}, "model_path=_models_Qwen_Qwen3"),
        ({"sample_prompts": "['a b;$(rm -rf /)']"}, "sample_prompts=_a_b_rm_-rf_"),
        ({"data_path": "données.jsonl"}, "data_path=donn_es.jsonl"),
        ({}, "run"),
    ],
)
def test_a_folder_is_named_by_what_differs(values: dict[str, str], start: str) -> None:
    name = folder_name(values, "0123456789abcdef")
    assert name.startswith(start)
    assert name.endswith("-01234567")
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]*", name)


def test_a_long_value_makes_no_long_name() -> None:
    assert len(folder_name({"data_path": "x" * 5000}, "0123456789abcdef")) < 120


def test_the_faults_of_all_jobs_are_told_at_once_and_each_once(words: list[str], tmp_path: Path) -> None:
    every = [[*words, f"lr={lr}", f"seed={seed}", "sed=1"] for lr in ("1e-5", "-1") for seed in ("1", "-2")]
    every.append([*words, "algorithm=sfft"])
    with pytest.raises(ConfigError) as refusal:
        Planner(["lr", "seed"]).checked(every, tmp_path / "sweep")
    assert [text.partition(":")[0] for text in refusal.value.faults] == ["sed=1", "seed=-2", "lr=-1", "algorithm=sfft"]
    assert not (tmp_path / "sweep").exists()


def test_the_plan_of_a_sweep_shows_each_run_in_its_folder(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "-m", *words, "seed=1,2", f"output_dir={tmp_path}/swept"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("# run")] == ["# run 1 of 2: seed=1", "# run 2 of 2: seed=2"]
    folders = [line.split()[0] for before, line in pairwise(lines) if before == "run directory"]
    assert [folder.rpartition("-")[0] for folder in folders] == [f"{tmp_path}/swept/seed={seed}" for seed in (1, 2)]
    assert lines[-2:] == ["folder", f"  {tmp_path}/swept"]
    assert not (tmp_path / "swept").exists()


def test_the_plan_of_a_sweep_tells_all_faults(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "-m", *words, "lr=-1,1e-5,-2"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "lr=-1,-2: must be greater than 0\n")
