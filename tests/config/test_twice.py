"""One setting, one value: what Hydra would take the last of is refused, on the command line and in Python."""

from __future__ import annotations

import pytest

from training_hub import ConfigError, create_algorithm, train
from training_hub.cli import main
from training_hub.config.twice import changed

P, G = "the same parameter is given as", "the same group is given as"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lr=1e-5 lr=2e-5", f"lr=2e-5: {P} lr=1e-5"),
        ("lr=1e-5 learning_rate=2e-5", f"learning_rate=2e-5: {P} lr=1e-5"),
        ("lr=1e-5 ++lr=2e-5", f"lr=2e-5: {P} lr=1e-5"),
        ("lr= lr=1e-5", f"lr=1e-5: {P} lr="),
        ("lr=1e-5 ~lr", f"~lr: {P} lr=1e-5"),
        ("seed=1 seed=true", f"seed=true: {P} seed=1"),
        ("recipe.optim=sgd +recipe.optim=adam", f"recipe.optim=adam: {P} recipe.optim=sgd"),
        (
            "lr_scheduler_kwargs={a:1} lr_scheduler_kwargs.a=2",
            f"lr_scheduler_kwargs.a=2: {P} lr_scheduler_kwargs={{a:1}}",
        ),
        ("lr_scheduler_kwargs.a=1 lr_scheduler_kwargs=null", f"lr_scheduler_kwargs.a=1: {P} lr_scheduler_kwargs=null"),
        ("wandb_project=a logger.wandb.project=b", f"logger.wandb.project=b: {P} wandb_project=a"),
        ("algorithm=sft algorithm=osft", f"algorithm=osft: {G} algorithm=sft"),
        ("logger=[wandb] logger=[jsonl]", f"logger=[jsonl]: {G} logger=[wandb]"),
        ("-m lr=1,2 lr=2,3", f"lr=2,3: {P} lr=1,2"),
        ("-m jobs=1 jobs=2 seed=1,2", f"jobs=2: {P} jobs=1"),
        ("-m lr=1,2 learning_rate=3", f"learning_rate=3: {P} lr=1,2"),
    ],
)
def test_two_values_are_refused(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *words.split(), "model_path=m", "data_path=d"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"{said}; keep one of the two"]


@pytest.mark.parametrize(
    "words",
    [
        "lr=1e-5 lr=0.00001 learning_rate=1e-05", "algorithm=sft algorithm=sft", "num_epochs=1 num_epochs=1.0",
        "lr_scheduler_kwargs={a:1} lr_scheduler_kwargs.b=2", "logger=[jsonl,wandb] logger.wandb.project=a",
    ],
)  # fmt: skip
def test_values_that_are_equal_or_go_together_are_not(words: str) -> None:
    train.composed(words.split())


@pytest.mark.parametrize("flags", [["--cfg=job", "--cfg", "hydra"], ["--cfg", "job", "-p", "a", "-p", "b"]])
def test_a_flag_has_one_value(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags) == 2
    assert capsys.readouterr().err.endswith("is given twice; keep one of the two\n")


@pytest.mark.parametrize("word", ["defaults=[sft]", "+defaults=[]", "++defaults.0=sft", "defaults=null"])
def test_the_defaults_list_stands_in_files(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 2
    assert capsys.readouterr().err.startswith(f"{word}: the defaults list stands in files alone; ")


def test_python_is_asked_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ({"lr": 1e-5, "learning_rate": 2e-5}, {"recipe": {"optim": "sgd"}, "recipe.optim": "adam"}):
        with pytest.raises(ConfigError, match="the same parameter is given as"):
            create_algorithm("sft", "trl").train(model_path="m", data_path="d", **given)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the defaults list stands in files alone"):
        create_algorithm("sft", "trl").train(model_path="m", data_path="d", defaults=["sft"])


def test_what_goes_on_may_be_changed_under_any_name() -> None:
    names = {"learning_rate": "lr"}
    assert changed(["lr=1", "seed=2", "++x.y=3"], ["learning_rate=4", "x.y=5"], names) == [
        "seed=2",
        "learning_rate=4",
        "x.y=5",
    ]


def test_a_word_of_endless_brackets_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "lr=" + "[" * 2000 + "]" * 2000]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
