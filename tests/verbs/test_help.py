"""`--help`: everything that can be typed, in 100 columns, with the defaults of what is chosen."""

from __future__ import annotations

import pytest

from training_hub import cli
from training_hub.command_line import finding
from training_hub.params import Params, sections


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["--help", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["algorithm=dpo"], ["algorithm=lora_sft", "launcher=slurm"], ["algorithm=osft"]])
def test_no_line_is_longer_than_100_columns(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert [line for line in helped(capsys, *words).splitlines() if len(line) > 100] == []


def test_the_defaults_are_those_of_the_chosen_algorithm(capsys: pytest.CaptureFixture[str]) -> None:
    assert "peak learning rate (float; default 1e-05)" in helped(capsys)
    assert "peak learning rate (float; default 5e-07)" in helped(capsys, "algorithm=dpo")


def test_every_verb_and_parameter_has_a_line_that_begins_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    first = {line.split()[0] for line in helped(capsys).splitlines() if line.startswith("  ")}
    assert first > {*finding.names(), *Params.model_fields, "nproc_per_node", "is_pretraining"}


def test_a_name_and_its_meaning_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert "  interpolate  write a mixture of two checkpoints of one model\n" in helped(capsys)


def test_every_shared_parameter_stands_under_one_heading() -> None:
    found = sections(Params)
    assert "" not in found
    assert [name for names in found.values() for name in names] == list(Params.model_fields)
    assert len(found) > 3
