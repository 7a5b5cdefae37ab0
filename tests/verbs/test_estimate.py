"""`estimate`: its settings, its verdicts and its arithmetic. What needs torch is in tests/workers/test_estimate.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub import estimate
from training_hub.backends.base import RecipeBackend
from training_hub.backends.trl import TRLBackend
from training_hub.cli import dispatch
from training_hub.errors import ConfigError, RunFailed
from training_hub.machine import hardware
from training_hub.run import RunDir, TrainResult
from training_hub.verbs.estimate import configured, fit, memory, trial
from training_hub.verbs.estimate.memory import Memory, Place

GIVEN = ["model_path=model", "algorithm=sft"]
HERE = Place(False, 25.0, "this machine")
FOUND = {
    "parts": {"weights": 1e9, "gradients": 1e9, "optimizer": 2e9, "activations": 1e9, "process": 1e9},
    "parameters": 250_000_000, "trained": 250_000_000, "tokens": 1024,
}  # fmt: skip


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the worker is asked; it answers with the same for every proxy."""
    asked: list[Any] = []

    def answer(_module: str, request: Any, _python: Any) -> Any:
        asked.append(request)
        return [FOUND] * len(request)

    monkeypatch.setattr(memory, "answer", answer)
    return asked


def answered(words: list[str]) -> int:
    return dispatch(["estimate", *words])


def refusal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigError) as error:
        call(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("gpu_memory_gib=0", "gpu_memory_gib=0: must be greater than 0"),
        ("gpu_memory_gib=much", "gpu_memory_gib=much: must be"),
        ("time=perhaps", "time=perhaps: must be true or false"),
        ("steps=9", "steps=9: has no effect without time=true; add it, or drop this"),
    ],
)
def test_a_faulty_setting_of_the_verb_is_refused(typed: str, expected: str) -> None:
    assert refusal(answered, [*GIVEN, typed]).startswith(expected)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["algorithm=sft"], "model_path: required parameter is missing"),
        (["model_path=nowhere/at/all"], "model_path=nowhere/at/all: no such folder"),
        ([*GIVEN, "lr=-1"], "lr=-1: must be greater than 0"),
        ([*GIVEN, "data_path=none.jsonl"], "data_path=none.jsonl: no such file"),
        (["model_path=model", "algorithm=osft"], "unfreeze_rank_ratio: required parameter is missing"),
    ],
)
def test_a_faulty_config_is_refused_as_for_a_run(typed: list[str], expected: str, answers: list[Any]) -> None:
    assert refusal(answered, typed).startswith(expected)
    assert answers == []


def test_rows_may_be_missing(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert answered([*GIVEN, "gpu_memory_gib=80"]) == 0
    assert answers[0][0]["data"]["path"] == ""
    printed = capsys.readouterr().out
    assert "rows of max_seq_len tokens; with data_path=... those that there are" in printed
    assert "optimizer        2.00 GB" in printed
    assert "\nfits: the GPU has 85.9 GB\n" in printed


def test_a_library_that_shares_out_its_weights_has_such_a_memory_proxy(answers: list[Any]) -> None:
    typed = ["model_path=model", "algorithm=osft", "unfreeze_rank_ratio=0.25", "nproc_per_node=4", "gpu_memory_gib=80"]
    answered(typed)
    proxy = answers[0][0]["memory_proxy"]
    assert (proxy["sharded"], proxy["processes"], proxy["trained_ratio"], proxy["gpu"]) == (4, 4, 0.25, True)
    assert answers[0][0]["recipe"]["_target_"] == "trl.SFTConfig"


def test_unsloth_has_the_memory_proxy_of_the_same_loop(answers: list[Any]) -> None:
    answered(["model_path=model", "algorithm=lora_sft", "backend=unsloth", "load_in_4bit=true", "gpu_memory_gib=80"])
    asked = answers[0][0]
    assert (asked["memory_proxy"]["bits"], asked["recipe"]["gradient_checkpointing"]) == (4, True)


def test_what_does_not_fit_is_tried_otherwise(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert answered([*GIVEN, "gpu_memory_gib=2"]) == 1
    assert "does not fit: the GPU has 2.1 GB\nnothing that was tried fits\n" in capsys.readouterr().out
    tried = [(each["backend"]["max_tokens_per_gpu"], each["recipe"]["gradient_checkpointing"]) for each in answers[1]]
    assert {(512, False), (256, True), (None, True)} <= set(tried)
    assert any(each["adapter"] for each in answers[1])
    assert answers[1][-1]["memory_proxy"]["processes"] == 8


def test_the_first_change_that_fits_is_named(answers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, config = configured.configured(GIVEN)
    monkeypatch.setattr(fit, "held", lambda proxies, _: [_memory(30 - 3 * n) for n, _ in enumerate(proxies)])
    found = fit.fitting(GIVEN, (), config, 1024, HERE)
    assert found is not None
    assert (found[0], found[1].high) == ("gradient_checkpointing=true", 24)


def _memory(high: float) -> Memory:
    return Memory({}, high - 2, high - 1, high, 1, 1, 1)


@pytest.mark.parametrize(
    ("high", "expected"), [(25, "fits"), (25.5, "will likely fit"), (26.5, "may just fit"), (28, "does not fit")]
)
def test_the_verdict(high: float, expected: str) -> None:
    assert _memory(high).verdict(HERE) == f"{expected}: this machine has 25.0 GB"
    assert "add gpu_memory_gib=80" in _memory(high).verdict(Place(True, None, ""))


def test_processes_share_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "memory_gb", lambda: 24.0)
    _, config = configured.configured([*GIVEN, "nproc_per_node=2"])
    assert memory.place_of(config, None) == Place(False, 12.0, "this machine, a share of 1/2 of it")


def test_from_python_three_numbers_come_back(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    low, expected, high = estimate(training_method="lora", model_path="model", num_gpus=8, batch_size=16, lora_r=32)
    assert low < expected < high
    asked = answers[0][0]
    assert (asked["adapter"]["peft"]["r"], asked["memory_proxy"]["processes"]) == (32, 8)
    assert asked["backend"]["effective_batch_size"] == 16
    assert capsys.readouterr().out == "fits: the GPU has 85.9 GB\n"


def test_qlora_packs_the_weights(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    estimate("qlora", model_path="model", verbose=0)
    assert (answers[0][0]["memory_proxy"]["bits"], capsys.readouterr().out) == (4, "")


def test_an_unknown_method_is_an_error() -> None:
    expected = "training_method=qlorra: no such method; did you mean qlora?"
    assert refusal(estimate, "qlorra", model_path="model") == expected


def test_an_unknown_parameter_is_an_error(answers: list[Any]) -> None:
    assert "lora_r=8: sft has no such parameter" in refusal(estimate, "sft", model_path="model", lora_r=8)


def a_short_run(folder: Path, evaluates: bool = False, saves: bool = False, **metrics: float) -> RunDir:
    """Four steps of 100 tokens, of 5, 4, 2 and 2 s; then 3 s of evaluation and 4 s of saving."""
    run = RunDir(folder / "run")
    run.path.mkdir()
    run.create({}, [], {})
    for step, seconds in enumerate((5.0, 9.0, 11.0, 13.0), 1):
        run.append_metrics(step=step, loss=1.0, seconds=seconds, tokens=100 * step, samples=step)
    if evaluates:
        run.append_metrics(step=4, eval_loss=1.0, seconds=16.0, tokens=400, samples=4)
    os.utime(run.metrics, (1000.0, 1000.0))
    if saves:
        seal = run.checkpoint(4) / "checkpoint.json"
        seal.parent.mkdir(parents=True)
        seal.touch()
        os.utime(seal, (1004.0, 1004.0))
    run.write_result(TrainResult("completed", str(run.path), metrics=dict(metrics)))
    return run


def test_the_pace_is_read_off_a_short_run(tmp_path: Path) -> None:
    pace = trial.pace_of(a_short_run(tmp_path, evaluates=True, saves=True), started=964.0, ended=1007.0)
    assert pace == trial.Pace(start=20.0 + 3.0 + 2.0, token=0.02, evaluation=3.0, save=4.0, end=3.0)


def test_the_reference_is_asked_about_every_pair(tmp_path: Path) -> None:
    pace = trial.pace_of(a_short_run(tmp_path, reference_seconds=8.0), started=967.0, ended=1000.0)
    assert (pace.start, pace.per_pair) == (pytest.approx(20.0 - 8.0 + 3.0 + 2.0), 2.0)


def test_too_few_steps_are_an_error(tmp_path: Path) -> None:
    run = a_short_run(tmp_path)
    run.cut_back(1, 0)
    with pytest.raises(RunFailed, match="too few steps"):
        trial.pace_of(run, 0.0, 1.0)


CONFIG = {
    "effective_batch_size": 8, "num_epochs": 2, "max_steps": None, "save_steps": None, "checkpoint_at_epoch": False,
    "eval_steps": None, "data": {"eval_path": None, "eval_fraction": 0.0}, "backend": {"eval_at_start": True},
}  # fmt: skip
REPORT = {"rows": 100, "tokens": 5000, "format": "messages"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, trial.Course(26, 2.0, 10000.0, 0, 0, 100)),
        ({"max_steps": 13}, trial.Course(13, 1.0, 5000.0, 0, 0, 100)),
        ({"save_steps": 10}, trial.Course(26, 2.0, 10000.0, 0, 2, 100)),
        ({"checkpoint_at_epoch": True, "save_steps": 10}, trial.Course(26, 2.0, 10000.0, 0, 4, 100)),
        ({"data": {"eval_path": "x", "eval_fraction": 0.0}}, trial.Course(26, 2.0, 10000.0, 2, 0, 100)),
        (
            {"data": {"eval_path": None, "eval_fraction": 0.1}, "eval_steps": 5},
            trial.Course(26, 2.0, 10000.0, 7, 0, 100),
        ),
        (
            {"data": {"eval_path": None, "eval_fraction": 0.1}, "eval_steps": 13},
            trial.Course(26, 2.0, 10000.0, 3, 0, 100),
        ),
    ],
)
def test_the_course_of_a_run_follows_from_its_rows(changes: dict[str, Any], expected: trial.Course) -> None:
    assert trial.course_of(CONFIG | changes, REPORT) == expected


def test_each_pair_is_asked_about_once() -> None:
    report = REPORT | {"format": "preference"}
    assert trial.course_of(CONFIG, report).pairs == 100
    assert trial.course_of(CONFIG | {"max_steps": 5}, report).pairs == 38


def test_the_parts_add_up() -> None:
    pace = trial.Pace(start=10, token=0.01, evaluation=3, save=4, end=5, per_pair=2)
    assert trial.total(pace, trial.Course(10, 1, 1000, 2, 3, 4)) == 10 + 10 + 6 + 12 + 8 + 5


def test_a_job_is_not_timed_here(here: Path) -> None:
    typed = [*GIVEN, "data_path=rows.jsonl", "launcher=slurm", "time=true"]
    assert "launcher=" in refusal(answered, typed)
    assert not list(here.glob(".estimate*"))


def test_a_backend_without_a_memory_proxy_is_refused(answers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRLBackend, "memory_proxy", RecipeBackend.memory_proxy)
    assert refusal(answered, GIVEN).startswith("backend=trl: its memory is not known without loading the model; ")
    assert not answers
