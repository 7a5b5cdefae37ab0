"""What a report tells of which runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.verbs.conftest import WriteRun
from training_hub.cli import dispatch
from training_hub.errors import ConfigError
from training_hub.metrics import CORE
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir
from training_hub.verbs.report.differ import differences, flatten
from training_hub.verbs.report.environment import facts
from training_hub.verbs.report.findings import findings
from training_hub.verbs.report.gather import gather
from training_hub.verbs.report.thin import columns


def test_the_runs_of_a_sweep_are_ranked_and_what_has_no_loss_comes_last(swept: SweepDir) -> None:
    told = gather(["swept"])
    assert [run.number for run in told.runs] == [4, 3, 5, 2, 6, 7, 8, 9, 10, 11, 1, 12]
    assert [run.state.word for run in told.runs[-2:]] == ["failed", "pending"]
    assert told.settings == ["lr", "seed"]
    assert told.runs[-1].settings == {"lr": "0.0001", "seed": "3"}  # the sweep says so, its folder is not there yet


def test_settings_that_follow_from_others_are_no_difference_of_their_own() -> None:
    def config(lr: float, where: str) -> dict[str, str]:
        recipe = {"_target_": "A", "learning_rate": lr, "eps": 1, "logging_dir": where}
        return flatten({"recipe": recipe, "lr": lr, "output_dir": where, "data": {}})

    assert differences([config(1e-5, "a"), config(2e-5, "b")]) == {"lr": ["1e-05", "2e-05"]}
    assert differences([config(0.12345678, "a"), config(0.12345679, "a")])["lr"] == ["0.12345678", "0.12345679"]


def test_arguments_of_two_libraries_are_not_compared() -> None:
    first, second = ({"recipe._target_": name, f"recipe.{name}": "1", "seed": name} for name in "ab")
    assert differences([first, second]) == {"seed": ["a", "b"]}


def test_a_setting_that_only_one_run_has_differs() -> None:
    assert differences([{"lora_r": "8"}, {}]) == {"lora_r": ["8", "-"]}


def test_what_a_run_does_not_tell_yet_is_no_difference_of_environments() -> None:
    first = {"versions": {"torch": "2"}, "python": "3.11"}
    told = facts({"a": first, "b": {"python": "3.11"}, "c": {"python": "3.12"}})
    assert ("torch", {"2": ["a"]}) in told
    assert ("Python", {"3.11": ["a", "b"], "3.12": ["c"]}) in told


def test_who_ran_it_is_not_told(write_run: WriteRun) -> None:
    run = write_run("run", machine={"user": "somebody", "host": "vm", "process": 7})
    assert "somebody" not in str(facts({"run": run.read_manifest()}))


def test_many_rows_become_few_and_keep_their_extremes() -> None:
    unknown: dict[str, Any] = dict.fromkeys(CORE)
    rows = [{**unknown, "step": number, "loss": 2.0 + math.sin(number)} for number in range(5000)]
    rows[1234]["loss"], rows[2345]["loss"], rows[3456]["loss"] = 9.0, -9.0, math.nan
    thin = columns(rows, "loss", 200)
    assert len(thin["loss"]) <= 202
    assert {9.0, -9.0} <= set(thin["loss"])
    assert (thin["step"][0], thin["step"][-1]) == (0, 4999)
    assert thin["step"] == sorted(thin["step"])  # type: ignore[type-var]
    json.dumps(thin, allow_nan=False)


def test_every_metric_has_a_curve_beside_its_values_on_held_out_rows(write_run: WriteRun) -> None:
    run = write_run("run")
    run.append_metrics(step=10, **{"my/score": 0.5, "eval_my/score": 0.25, "time": 7, "eval_lr": 1})
    told = gather(["run"])
    assert (told.further, told.undrawn) == (["my/score", "time", "eval_lr"], [])
    curves = told.runs[0].curves
    assert (curves["my/score"]["value"], curves["eval_my/score"]["value"]) == ([0.5], [0.25])
    assert (curves["time"]["value"], curves["time"]["time"]) == ([7], [5])


def test_of_very_many_metrics_some_are_only_named(write_run: WriteRun) -> None:
    run = write_run("run")
    run.append_metrics(step=10, **{f"m{number}": 1.0 for number in range(30)})
    told = gather(["run"])
    assert (len(told.further), told.undrawn) == (24, [f"m{number}" for number in range(24, 30)])


def warned(folder: str) -> list[str]:
    told = gather([folder])
    return list(findings(told, facts({each.name: each.manifest for each in told.runs})))


def test_a_sound_run_is_not_warned_of(write_run: WriteRun) -> None:
    write_run("run")
    assert warned("run") == []


def test_losses_that_rise_are_told(write_run: WriteRun) -> None:
    run = write_run("run", last=1.0)
    run.append_metrics(step=11, loss=9.0)
    run.append_metrics(step=11, eval_loss=1.7)
    assert warned("run") == [
        "the training loss rose from 3.7 to 9; a lower lr may help",
        "the held-out loss was lowest at step 10 (1.5) and rose to 1.7; fewer steps may be better",
    ]


def test_rows_that_were_left_out_or_cut_are_told(write_run: WriteRun) -> None:
    part = {
        "path": "rows.jsonl", "fingerprint": "abc", "rows_read": 1000, "dropped": {"too long": 3}, "truncated": 20,
        "left_out": {"tools": 2},
    }  # fmt: skip
    write_run("run", data={"train": part, "eval": None})
    assert warned("run") == [
        "3 of 1,000 rows of the training data were left out: too long",
        "20 of 1,000 rows of the training data were cut",
        "the chat template does not write the tools of 2 rows of the training data",
    ]


def test_runs_that_cannot_be_compared_are_told(write_run: WriteRun) -> None:
    write_run("both/a", versions={"torch": "2.12.0"})
    write_run("both/b", versions={"torch": "2.13.0"}, held_out=False)
    assert warned("both") == [
        "only 1 of 2 runs have a held-out loss; the others are ranked by another loss",
        "torch is not the same in all runs",
    ]


def test_a_run_that_failed_says_why(swept: SweepDir) -> None:
    assert findings(gather(["swept"]), []) == {"failed: loss=nan: not a number at step 10; lower lr": ["1"]}


def test_what_the_result_says_of_its_end_is_told(write_run: WriteRun) -> None:
    run = write_run("run")
    result = run.read_result()
    assert result is not None
    run.write_result(replace(result, stopped="eval_loss is good enough", warnings=["wandb: no answer"]))
    assert warned("run") == ["wandb: no answer", "stopped early: eval_loss is good enough"]


def test_final_numbers_of_an_algorithm_are_told(write_run: WriteRun) -> None:
    run = write_run("run")
    result = run.read_result()
    assert result is not None
    run.write_result(replace(result, metrics={**result.metrics, "eval_accuracy": 0.75}))
    assert gather(["run"]).runs[0].numbers == {"eval_accuracy": 0.75}


def test_the_log_of_another_program_is_a_run_too(tmp_path: Path) -> None:
    (tmp_path / "training_metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    [run] = gather([str(tmp_path)]).runs
    assert (run.state.reason, run.row["final_loss"]) == ("logged by another program", 2.0)


REFUSED = {
    "nothing": ("", ["report: needs folders of runs or sweeps; write report DIR ..."]),
    "no runs": (
        "model nix",
        [
            "model: no metrics of a run in this folder; give that of a run or of a sweep",
            "nix: no such folder; give that of a run or of a sweep",
        ],
    ),
    "no page": ("run output_path=x.pdf", ["output_path=x.pdf: the name must end with .html"]),
    "no place": ("run output_path=a/x.html", ["output_path=a/x.html: its folder does not exist"]),
    "served and written": (
        "run output_path=x.html watch=true",
        ["output_path=x.html: what is served is not written; drop it, or drop --watch"],
    ),
    "a port for nothing": ("run port=9000", ["port=9000: nothing is served; add --watch, or drop it"]),
    "no port": ("run port=70000", ["port=70000: must be less than or equal to 65535"]),
}


@pytest.mark.needs("plotly")
@pytest.mark.parametrize(("typed", "faults"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_reported_is_refused_in_a_line(
    write_run: WriteRun, here: Path, typed: str, faults: list[str]
) -> None:
    write_run("run")
    with pytest.raises(ConfigError) as caught:
        dispatch(["report", *typed.split()])
    assert list(caught.value.faults) == [text.format(here=here) for text in faults]
    assert not list(here.glob("**/*.html"))


@pytest.mark.needs("plotly")
def test_a_run_that_has_just_begun_has_a_page(write_run: WriteRun) -> None:
    write_run("run", rows=0)
    assert dispatch(["report", "run"]) == 0
    assert "<h1>run</h1>" in Path("run/report.html").read_text()
    assert RunDir("run").exists()


def test_the_runs_of_a_sweep_are_ranked_as_the_sweep_ranks_them(swept: SweepDir) -> None:
    for number, job in enumerate(swept.jobs()[:-1]):
        run = swept.run_of(job)
        result = run.read_result()
        assert result is not None
        run.write_result(replace(result, metrics={**result.metrics, "my/score": float(number)}))
    swept.update(rank_by="my/score", rank_mode="max")
    told = gather(["swept"])
    assert [run.number for run in told.runs] == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 12]
    assert told.runs[0].objective == 10.0
    assert (told.ranking.column, told.ranking.mode) == ("my/score", "max")
