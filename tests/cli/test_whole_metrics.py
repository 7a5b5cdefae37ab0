"""A metric of a user's callback, from the command line to every place where metrics are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.workers.conftest import conversation
from training_hub import cli
from training_hub.run import RunDir

pytestmark = pytest.mark.needs("trl", "torch", "peft", "tensorboard")
SCORES = """
from training_hub import TrainingHubCallback

class Scores(TrainingHubCallback):
    def on_step_end(self, context):
        context.log("my/score", 0.5 - abs(context.step - 2) / 10)
"""


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pairs of answers and a module with a callback, where the run starts."""
    folder = tmp_path
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("TRAINING_HUB_TARGETS", "my_scores")
    (folder / "my_scores.py").write_text(SCORES)
    rows = []
    for number in range(24):
        question, answer = conversation(number)["messages"]
        worse = {"role": "assistant", "content": "no " + answer["content"][::-1]}
        rows.append({"prompt": [question], "chosen": [answer], "rejected": [worse]})
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_metric_of_a_callback_reaches_everything_that_reads_metrics(pairs: Path, tiny: Path) -> None:
    typed = [
        "algorithm=dpo", f"model_path={tiny}", "data_path=pairs.jsonl", "eval_fraction=0.25", "eval_steps=1",
        "effective_batch_size=2", "num_epochs=2", "output_dir=run", "strict=false", "logger=[jsonl,tensorboard]",
        "callbacks.scores._target_=my_scores.Scores", "callbacks=[early_stopping]", "lr=1e-3",
        "callbacks.early_stopping.metric=my/score", "callbacks.early_stopping.mode=max",
        "callbacks.early_stopping.patience=2",
    ]  # fmt: skip
    assert cli.main(typed) == 0
    run = RunDir("run")
    result = run.read_result()
    assert result is not None
    assert result.stopped == "callbacks.early_stopping: my/score has not improved on 0.5 (step 2) in 2 measurements"
    assert result.best_checkpoint_path == str(run.checkpoint(2))
    assert result.metrics["my/score"] == pytest.approx(0.3)
    assert {"rewards/margins", "rewards/accuracies", "eval_rewards/margins", "preferred"} <= result.metrics.keys()
    scores = [row["my/score"] for row in run.read_metrics() if "my/score" in row]
    assert scores == pytest.approx([0.4, 0.5, 0.4, 0.3])

    assert cli.main(["plot", "run", "y=[my/score,rewards/margins]", "output_path=both.svg"]) == 0
    words = re.findall(r"<!-- (.+?) -->", Path("both.svg").read_text())
    assert {"my/score", "rewards/margins", "held-out rows"} <= set(words)
    assert cli.main(["report", "run"]) == 0
    page = (run.path / "report.html").read_text()
    assert 'id="further-my/score"' in page
    assert 'id="further-rewards/margins"' in page

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("my/score")] == pytest.approx(scores)
    assert [event.step for event in events.Scalars("eval_rewards/margins")] == [0, 1, 2, 3, 4]


RATES = """
from training_hub import TrainingHubCallback

class Rates(TrainingHubCallback):
    def on_step_end(self, context):
        context.log("my/score", context.learning_rate or 0.0)
"""


@pytest.mark.slow
def test_a_sweep_is_ranked_by_a_metric_of_a_callback(
    pairs: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pairs / "my_scores.py").write_text(RATES)
    typed = [
        "-m", "algorithm=dpo", f"model_path={tiny}", "data_path=pairs.jsonl", "effective_batch_size=2", "max_steps=2",
        "callbacks.rates._target_=my_scores.Rates", "lr_scheduler=constant", "warmup_steps=0", "lr=1e-5,3e-3",
        "output_dir=swept", "rank_by=my/score", "rank_mode=max",
    ]  # fmt: skip
    assert cli.main(typed) == 0
    best, second = capsys.readouterr().out.partition("─")[2].splitlines()[1:3]
    assert (best.split()[:4], second.split()[:4]) == (
        ["1", "0.003", "completed", "0.003"],
        ["2", "1e-05", "completed", "1e-05"],
    )
    assert cli.main(["report", "swept"]) == 0
    assert "Ranked by my/score, highest first" in Path("swept/report.html").read_text()
