"""The real clients, offline: what a run tells each of them is read back from where it wrote it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from training_hub.run import RunDir, TrainResult
from training_hub.workers.loggers.beside import Loggers

pytestmark = [pytest.mark.slow, pytest.mark.needs("wandb", "mlflow", "trackio", "tensorboard")]
ROOT = Path(__file__).parents[2]
KEY = "not-a-real-key-but-forty-characters-long"
READ_TRACKIO = """
import json, trackio
from trackio.sqlite_storage import SQLiteStorage
(run,) = trackio.Api().runs("spiders")
rows = SQLiteStorage.get_logs("spiders", run.name)
print(json.dumps([run.name, run.config, rows], default=str))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that stopped after two steps and went on to the third, with all loggers."""
    folder = tmp_path_factory.mktemp("loggers")
    run = RunDir(folder / "run")
    run.path.mkdir()
    config: dict[str, Any] = {"lr": 0.5, "lr_scheduler_kwargs": {}, "data": {"path": "rows.jsonl"}, "logger": {}}
    for file in (ROOT / "conf" / "logger").glob("*.yaml"):
        config["logger"][file.stem] = yaml.safe_load(file.read_text())
    config["logger"]["wandb"] |= {
        "project": "spiders",
        "entity": None,
        "name": None,
        "group": "legs",
        "mode": "offline",
    }
    config["logger"]["mlflow"] |= {
        "tracking_uri": f"sqlite:///{folder}/mlflow.db",
        "experiment": "spiders",
        "name": None,
    }
    config["logger"]["trackio"] |= {"project": "spiders", "space_id": None}
    run.create(config, [], {"algorithm": "sft", "git": {"commit": "abc", "changed": False}})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TRACKIO_DIR", str(folder / "trackio"))
        patch.setenv("WANDB_API_KEY", KEY)
        patch.delenv("PYTHONWARNINGS", raising=False)
        run.append_metrics(step=1, loss=3.0, tokens=10)
        run.append_metrics(step=2, loss=2.0, tokens=20)
        first = Loggers(run, config)
        assert first.end(TrainResult("failed", str(run.path), metrics={"steps": 2})) == []
        run.append_metrics(step=3, loss=1.0, tokens=30)
        run.append_metrics(step=3, eval_loss=1.5)
        second = Loggers(run, config)
        result = TrainResult("completed", str(run.path), metrics={"final_loss": 1.0, "steps": 3})
        assert second.end(result) == []
    return folder


def test_tensorboard_has_curves_and_texts(place: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place / "run" / "tensorboard"))
    events.Reload()
    assert [(each.step, each.value) for each in events.Scalars("loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [(each.step, each.value) for each in events.Scalars("eval_loss")] == [(3, 1.5)]
    texts = {
        name: events.Tensors(name)[-1].tensor_proto.string_val[0].decode() for name in ("config", "manifest", "result")
    }
    assert "lr: 0.5" in texts["config"]
    assert '"commit": "abc"' in texts["manifest"]
    assert '"final_loss": 1.0' in texts["result"]
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_mlflow_has_one_run_with_all_of_it(place: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{place}/mlflow.db")
    experiment = client.get_experiment_by_name("spiders")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.data.params["lr"], run.data.params["algorithm"]) == ("FINISHED", "0.5", "sft")
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    names = sorted(each.path for each in client.list_artifacts(run.info.run_id))
    assert names == ["config.yaml", "manifest.json", "result.json"]
    assert run.data.tags["final_loss"] == "1.0"


def test_trackio_has_one_run(place: Path) -> None:
    env = os.environ | {"TRACKIO_DIR": str(place / "trackio")}
    done = subprocess.run([sys.executable, "-c", READ_TRACKIO], env=env, capture_output=True, text=True, check=True)
    _name, config, rows = json.loads(done.stdout.splitlines()[-1])
    assert (config["lr"], config["manifest"]["git"]["commit"]) == (0.5, "abc")
    assert [(row["step"], row["loss"]) for row in rows if "loss" in row] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [row["eval_loss"] for row in rows if "eval_loss" in row] == [1.5]


def test_wandb_has_one_run_in_two_files(place: Path) -> None:
    files = sorted((place / "run" / "loggers" / "wandb").glob("offline-run-*/run-*.wandb"))
    ids = {file.stem.removeprefix("run-") for file in files}
    assert len(files) == 2
    assert ids == {json.loads((place / "run" / "loggers" / "wandb.json").read_text())["id"]}
    records = [record for file in files for record in wandb_records(file)]
    history = [values(record.history.item) for record in records]
    assert [(row["step"], row["loss"]) for row in history if "loss" in row] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [row["eval_loss"] for row in history if "eval_loss" in row] == [1.5]
    config = values(item for record in records for item in record.run.config.update)
    assert (config["lr"], config["manifest"]["git"]["commit"]) == (0.5, "abc")
    summary = values(item for record in records for item in record.summary.update)
    assert (summary["status"], summary["final_loss"]) == ("completed", 1.0)


def wandb_records(file: Path) -> list[Any]:
    """What is in a file of wandb's: records of protocol buffers in blocks of LevelDB's log."""
    from wandb.proto import wandb_internal_pb2

    data, place, records, parts = file.read_bytes(), 7, [], b""
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(wandb_internal_pb2.Record())
            records[-1].ParseFromString(parts)
            parts = b""
    return records


def values(items: Iterable[Any]) -> dict[str, Any]:
    """Pairs of wandb's, a later one in the place of an earlier."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def test_no_key_is_written_anywhere(place: Path) -> None:
    files = [file for file in place.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
