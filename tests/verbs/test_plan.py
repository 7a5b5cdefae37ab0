"""`plan`: everything that train would do; nothing is run and nothing is written."""

from __future__ import annotations

import re
import sys
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
import yaml

from tests.golden import assert_golden
from training_hub.errors import ConfigError
from training_hub.verbs.plan.text import plan_text

GIVEN = ["algorithm=sft", "backend=trl", "model_path=model", "data_path=rows.jsonl"]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})


class _Noon(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _Noon:
        return cls(2026, 1, 2, 12, tzinfo=tz)


def planned(*typed: str) -> str:
    """The text, without what differs from machine to machine."""
    keys = {each.partition("=")[0] for each in typed}
    given = [each for each in GIVEN if each.partition("=")[0] not in keys]
    text = re.sub(r"[0-9.]+ GB free", "N GB free", plan_text([*given, *typed]))
    return text.replace(sys.executable, "PYTHON")


def config(text: str) -> dict[str, object]:
    """The config at the end of a plan."""
    loaded: dict[str, object] = yaml.safe_load(text.partition("\nconfig\n")[2])
    return loaded


def test_the_plan_of_one_process() -> None:
    assert_golden("plan_sft_trl.txt", planned("output_dir=run", "lr=2e-5"))


def test_the_plan_of_several_processes() -> None:
    text = planned("output_dir=run", "nproc_per_node=2")
    assert "  PYTHON -m torch.distributed.run --nnodes=1 --nproc-per-node=2 --standalone --max-restarts=0 -m" in text
    assert "  OMP_NUM_THREADS=1\n" in text


def test_the_config_in_a_plan_is_resolved_yaml() -> None:
    text = planned("output_dir=run", "lr=2e-5")
    assert "${" not in text
    assert config(text)["recipe"]["learning_rate"] == 2e-5  # type: ignore[index]


def test_nothing_is_written(here: Path) -> None:
    before = sorted(here.rglob("*"))
    planned("output_dir=run")
    planned()
    assert sorted(here.rglob("*")) == before


def test_a_run_directory_is_named_after_algorithm_and_time() -> None:
    assert re.search(r"\nrun directory\n  outputs/sft/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d  ", planned())


def a_run_in(folder: Path) -> None:
    """Leave what says that a run was started in this folder."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"status": "completed"}')
    (folder / "overrides.yaml").write_text("[]")


def test_a_second_run_in_the_same_second_gets_a_number(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hydra.core.utils.datetime", _Noon)
    for name in ("2026-01-02_12-00-00", "2026-01-02_12-00-00_2"):
        a_run_in(here / "outputs" / "sft" / name)
    assert "\nrun directory\n  outputs/sft/2026-01-02_12-00-00_3  (" in planned()


def test_a_run_directory_that_an_experiment_names_is_taken_at_its_word(here: Path) -> None:
    a_run_in(here / "run")
    (here / "mine" / "experiment").mkdir(parents=True)
    (here / "mine" / "experiment" / "named.yaml").write_text("# @package _global_\noutput_dir: run\n")
    with pytest.raises(ConfigError, match=r"^output_dir=run: already holds a run"):
        plan_text([*GIVEN, "experiment=named"], [str(here / "mine")])
    text = plan_text([*GIVEN, "experiment=named", "overwrite=true"], [str(here / "mine")])
    assert "\nrun directory\n  run  (" in text


def test_a_model_in_the_run_that_would_be_deleted_is_refused(here: Path) -> None:
    a_run_in(here / "run")
    (here / "run" / "checkpoints").mkdir()
    (here / "model").rename(here / "run" / "checkpoints" / "final")
    typed = ["model_path=run/checkpoints/final", "output_dir=run", "overwrite=true"]
    with pytest.raises(ConfigError) as error:
        planned(*typed)
    rule = "model_path lies in the run that this would delete; choose another output_dir"
    assert error.value.faults == (f"overwrite=true: {rule}",)
