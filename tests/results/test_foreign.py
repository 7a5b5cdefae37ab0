"""The logs of other programs, line by line as these write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from training_hub import plot_loss
from training_hub.errors import ConfigError
from training_hub.metrics import further
from training_hub.results.curves import courses

INSTRUCTLAB = [
    {"effective_batch_size": 8, "num_batches": 4, "total_samples": 16},
    *(
        {
            "epoch": 0, "step": step, "rank": 0, "overall_throughput": 4.0, "lr": step / 10, "num_tokens_rank0": 100,
            "batch_size": 8, "avg_loss": 5.0 - step, "samples_seen": 8 * step, "gradnorm": 1.5, "num_epoch_steps": 4,
        }
        for step in (1, 2)
    ),
    {"val_loss": 3.5, "val_num_tokens": 40, "step": 2},
]  # fmt: skip
MINI_TRAINER = [
    {
        "step": step, "epoch": 0, "steps_per_epoch": 4, "lr": 0.1, "grad_norm": 1.0, "loss": 5.0 - step,
        "avg_loss_backward": 9.0, "num_total_tokens": 30, "time_per_batch": 2.0, "total_samples_accumulated": 8 * step,
        "tokens_per_second": 15.0, **({"val_loss": 3.5} if step == 2 else {}),
    }
    for step in (1, 2)
]  # fmt: skip
TRL = [{"step": step, "epoch": step / 4, "max_steps": 4, "loss": 5.0 - step, "learning_rate": 0.1} for step in (1, 2)]


def log(folder: Path, name: str, rows: Sequence[Any]) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def rows(folder: str) -> list[dict[str, Any]]:
    [found] = courses([folder])
    return found.rows


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("training_params_and_metrics_global0.jsonl", INSTRUCTLAB),
        ("training_metrics_0.jsonl", MINI_TRAINER),
        ("training_metrics.jsonl", TRL),
    ],
)
def test_the_log_of_each_backend_is_found_and_drawn(tmp_path: Path, name: str, logged: list[Any]) -> None:
    folder = log(tmp_path / "checkpoints", name, logged)
    log(tmp_path / "checkpoints", "data.jsonl", [{"loss": 1.0}])  # the rows that were trained on, beside it
    [found] = courses([folder])
    assert found.points("loss") == [(1, 4.0), (2, 3.0)]
    assert found.points("eval_loss") == ([] if name == "training_metrics.jsonl" else [(2, 3.5)])
    assert Path(plot_loss(folder)).read_bytes().startswith(b"\x89PNG")


def test_what_is_logged_of_a_step_is_summed_up(tmp_path: Path) -> None:
    of_instructlab = rows(log(tmp_path / "a", "training_params_and_metrics_global0.jsonl", INSTRUCTLAB))[1]
    of_mini_trainer = rows(log(tmp_path / "b", "training_metrics_0.jsonl", MINI_TRAINER))[1]
    assert [of_instructlab[key] for key in ("tokens", "seconds", "epoch", "grad_norm")] == [200, 4.0, 0.5, 1.5]
    assert [of_instructlab[key] for key in ("lr", "samples", "tokens_per_second")] == [0.1, 16, 50.0]
    assert [of_mini_trainer[key] for key in ("tokens", "seconds", "epoch", "samples")] == [60, 4.0, 0.5, 16]


def test_the_newest_state_of_a_trainer_is_read(tmp_path: Path) -> None:
    history = [{"step": step, "loss": 5.0 - step, "learning_rate": 0.1} for step in (1, 2)]
    history += [{"step": 2, "eval_loss": 2.5}, {"step": 2, "train_loss": 4.0, "train_runtime": 9.0}]
    (tmp_path / "checkpoint-2").mkdir()
    (tmp_path / "checkpoint-2" / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    [found] = courses([str(tmp_path)])
    assert (found.points("loss"), found.points("eval_loss")) == ([(1, 4.0), (2, 3.0)], [(2, 2.5)])


def test_what_a_program_logs_beside_is_read_under_its_own_name(tmp_path: Path) -> None:
    logged = [{**TRL[0], "rewards/margins": 0.5, "reward": True, "bad name": 1.0}, {**TRL[1], "rewards/margins": 0.75}]
    [found] = courses([log(tmp_path, "training_metrics.jsonl", logged)])
    assert found.points("rewards/margins") == [(1, 0.5), (2, 0.75)]
    assert further(found.rows) == ["rewards/margins"]


def test_a_run_that_was_logged_behind_another_is_the_one_that_counts(tmp_path: Path) -> None:
    again = [{**row, "loss": row["loss"] + 10} for row in TRL]
    assert [row["loss"] for row in rows(log(tmp_path, "training_metrics.jsonl", [*TRL, *again]))] == [14.0, 13.0]


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    logged = [*TRL, {"step": 3, "loss": "batch_all_triplet"}, {"step": 4, "loss": None}]
    assert [row["step"] for row in rows(log(tmp_path, "training_metrics.jsonl", logged))] == [1, 2]


def test_a_line_that_is_broken_is_named_and_one_that_is_being_written_is_not(tmp_path: Path) -> None:
    folder = log(tmp_path, "training_metrics.jsonl", TRL)
    file = tmp_path / "training_metrics.jsonl"
    with file.open("a") as stream:
        stream.write('{"step": 3, "lo')
    assert len(rows(folder)) == 2
    with file.open("a") as stream:
        stream.write("\n[1]\n")
    with pytest.raises(ConfigError) as caught:
        courses([folder])
    assert caught.value.faults == (f"{file}: line 3 is not a JSON object",)
