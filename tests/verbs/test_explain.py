"""`explain`: every parameter, its value, where that came from, and what it becomes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import training_hub
from tests.golden import assert_golden
from training_hub import cli, train
from training_hub.command_line.table import table
from training_hub.config import resolvers
from training_hub.config.groups import CONF
from training_hub.errors import ConfigError
from training_hub.verbs.explain.translation import explain, origin

NOW = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")
EXPERIMENT = """\
# @package _global_
data_path: mine.jsonl
lr: 3.0e-5
num_epochs: 2
max_seq_len: 512
model: {dtype: float32}
"""


@pytest.fixture
def mine(here: Path) -> list[str]:
    """The user's own config folder, with an experiment `small`."""
    (here / "mine" / "experiment").mkdir(parents=True)
    (here / "mine" / "experiment" / "small.yaml").write_text(EXPERIMENT)
    return [str(here / "mine")]


def explained(*typed: str, folders: Sequence[str] = ()) -> str:
    """The text, with the time of day taken out of it."""
    words = {word.partition("=")[0]: word for word in ("algorithm=sft", "backend=trl", *typed)}
    return NOW.sub("YYYY-MM-DD_hh-mm-ss", explain(list(words.values()), folders))


def test_the_translation_of_a_few_overrides() -> None:
    typed = ("model_path=model", "learning_rate=2e-5", "recipe.optim=sgd", "seed=7")
    assert_golden("explain_overrides.txt", explained(*typed))


@pytest.mark.parametrize("cell", [f"{path.parent.name}/{path.stem}" for path in (CONF / "recipe").glob("*/*.yaml")])
def test_the_translation_of_every_pair(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "missing_requirements", lambda *_: [])  # flash-attn: as on a machine with GPUs
    algorithm, backend = cell.split("/")
    required = ["unfreeze_rank_ratio=0.25"] if algorithm == "osft" else []
    text = explained(f"algorithm={algorithm}", f"backend={backend}", "model_path=model", *required)
    assert_golden(f"explain_{algorithm}_{backend}.txt", text)


def test_the_translation_of_an_experiment(mine: list[str]) -> None:
    assert_golden("explain_experiment.txt", explained("experiment=small", "lr=2e-5", folders=mine))


def rows(text: str) -> dict[str, list[str]]:
    """Cells by the first one of their row."""
    split = (re.split(r"  +", line) for line in text.splitlines() if line and not line.startswith(" "))
    return {cells[0]: cells[1:] for cells in split}


def test_every_value_says_where_it_came_from(mine: list[str]) -> None:
    typed = ("experiment=small", "lr=2e-5", "recipe.optim=sgd", "data.too_long=drop")
    found = rows(explained(*typed, folders=mine))
    assert found["lr"][:2] == ["2e-05", "command line"]
    assert found["max_seq_len"][:2] == ["512", "experiment=small"]
    assert found["weight_decay"][:2] == ["0.0", "default"]
    assert found["is_pretraining"][:2] == ["false", "algorithm=sft"]
    assert found["SFTConfig.optim"] == ["sgd", "command line"]
    assert found["data.too_long"] == ["drop", "command line"]
    assert found["model.dtype"] == ["float32", "experiment=small"]
    assert found["model.revision"] == ["null", "model=auto"]


def test_a_parameter_typed_under_another_name_came_from_the_command_line() -> None:
    assert rows(explained("learning_rate=2e-5"))["lr"][:2] == ["2e-05", "command line"]


def test_a_parameter_that_becomes_several_arguments_has_a_row_for_each() -> None:
    lines = explained("max_seq_len=64").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("max_seq_len "))
    becomes = [re.split(r"  +", line)[-1] for line in lines[first : first + 2]]
    assert becomes == ["data.max_seq_len = 64", "data.block_size = null"]


def test_parameters_may_be_missing() -> None:
    found = rows(explained())
    assert found["model_path"][:2] == ["???", "default"]
    assert found["model_path"][2] == "model.path = ???"


def test_other_faults_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        explained("lr=-1", "recipe.learning_rte=1")
    assert sorted(error.value.faults) == [
        "lr=-1: must be greater than 0",
        "recipe.learning_rte=1: no such parameter; did you mean recipe.learning_rate?",
    ]


def test_values_given_in_python_came_from_python() -> None:
    composition = train.composed(["lr=2e-5"], typed_in="Python")
    assert [origin(composition, key) for key in ("lr", "seed")] == ["Python", "default"]


def test_columns_are_aligned_and_the_last_keeps_its_length() -> None:
    assert table([("a", "bb", "c"), ("aaa", "b", "")]) == ["a    bb  c", "aaa  b"]


def test_the_workers_are_found_where_the_package_is_on_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an editable install has it, which a finder finds."""
    root = Path(training_hub.__file__).parents[1]
    monkeypatch.setattr(sys, "path", [each for each in sys.path if Path(each).absolute() != root])
    for backend in ("trl", "mini-trainer", "instructlab-training"):
        assert cli.main(["explain", f"backend={backend}"]) == 0
