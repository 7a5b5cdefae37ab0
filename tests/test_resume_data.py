"""The data are part of what a run is: with others it neither goes on nor counts as done. Nothing is trained here."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TURNS
from tests.test_resume import Stopped, faults, here, planned, stopped  # noqa: F401  fixtures
from training_hub import checkpoints, train
from training_hub.data import origin
from training_hub.data.cache import fingerprint
from training_hub.errors import ConfigError
from training_hub.run import RunDir, TrainResult
from training_hub.sweep_dir import SweepDir
from training_hub.sweeps.expand import read
from training_hub.sweeps.front import planned_sweep
from training_hub.sweeps.plan import Planner

pytestmark = pytest.mark.usefixtures("here")
CHANGED = "its content has changed since the run began; restore it, or choose another output_dir"
OTHER = {"messages": [TURNS[0], {"role": "assistant", "content": "Nine."}]}


def report(path: str, **entries: Any) -> dict[str, Any]:
    """What a worker tells of a source."""
    return {"path": path, "fingerprint": fingerprint(path), "seen": origin.seen(path), **entries}


def began(run: RunDir, train: str = "rows.jsonl", held_out: str | None = None, **entries: Any) -> RunDir:
    """Let the run be one that has read its rows."""
    run.update_manifest(data={"train": report(train, **entries), "eval": held_out and report(held_out)})
    return run


def written(name: str, answer: str) -> str:
    """A file of rows, or a folder as `save_to_disk` writes them."""
    path = Path(name)
    if path.suffix == ".parquet":
        parquet, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
        parquet.write_table(pa.table({"prompt": ["Legs?"] * 3, "completion": [answer] * 3}), path)
    elif path.suffix == ".csv":
        path.write_text("prompt,completion\n" + f"Legs?,{answer}\n" * 3)
    elif path.suffix:
        rows = [{"prompt": "Legs?", "completion": answer}] * 3
        path.write_text(json.dumps(rows) if path.suffix == ".json" else "".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        path.mkdir(exist_ok=True)
        (path / "dataset_info.json").write_text("{}")
        (path / "state.json").write_text('{"_data_files": [{"filename": "data-00000.arrow"}]}')
        (path / "data-00000.arrow").write_text(answer)
    return name


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "folder"])
@pytest.mark.parametrize("status", ["completed", "interrupted"])
def test_other_content_at_the_same_path_is_refused(stopped: Stopped, name: str, status: str) -> None:  # noqa: F811
    path = written(name, "Eight.")
    began(stopped(f"data_path={path}", status=status), path)
    assert planned(f"data_path={path}", "resume=auto").start.goes_on == (status == "interrupted")
    written(name, "Nine..")
    assert faults(f"data_path={path}", "resume=auto") == [f"data_path={path}: {CHANGED}"]
    assert faults(f"data_path={path}", "resume=must") == [f"data_path={path}: {CHANGED}"]


@pytest.mark.parametrize("name", ["a.jsonl", "folder"])
def test_the_same_content_under_another_path_is_the_same_data(stopped: Stopped, name: str) -> None:  # noqa: F811
    path = written(name, "Eight.")
    began(stopped(f"data_path={path}", status="completed"), path)
    (shutil.copytree if Path(path).is_dir() else shutil.copyfile)(path, f"moved_{path}")
    shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()
    assert planned(f"data_path=moved_{path}", "resume=auto").start.done


def test_other_content_under_another_path_is_refused(stopped: Stopped) -> None:  # noqa: F811
    began(stopped(status="completed"))
    Path("other.jsonl").write_text(f"{json.dumps(OTHER)}\n")
    rule = "not the rows of rows.jsonl, which the run started with; give those, or choose another output_dir"
    assert faults("data_path=other.jsonl", "resume=auto") == [f"data_path=other.jsonl: {rule}"]


def test_a_dataset_on_the_hub_is_its_name(stopped: Stopped) -> None:  # noqa: F811
    run = stopped("data_path=them/rows", status="completed")
    run.update_manifest(data={"train": {"path": "them/rows", "fingerprint": "ab", "seen": None}, "eval": None})
    assert planned("data_path=them/rows", "resume=auto").start.done
    assert "not the rows of them/rows" in faults("data_path=them/others", "resume=auto")[0]
    assert "not the rows of them/rows" in faults("resume=auto")[0]


def test_the_held_out_rows_count_as_well(stopped: Stopped) -> None:  # noqa: F811
    shutil.copyfile("rows.jsonl", "eval.jsonl")
    given = "eval_data_path=eval.jsonl"
    began(stopped(given, status="completed"), held_out="eval.jsonl")
    assert planned(given, "resume=auto").start.done
    Path("eval.jsonl").write_text(f"{json.dumps(OTHER)}\n")
    assert faults(given, "resume=auto") == [f"eval_data_path=eval.jsonl: {CHANGED}"]
    assert faults("resume=auto") == [
        "eval_data_path=null: the run started with the held-out rows eval.jsonl; give these"
    ]


def test_held_out_rows_that_a_run_did_not_have_are_refused(stopped: Stopped) -> None:  # noqa: F811
    began(stopped(status="completed"))
    [fault] = faults("eval_data_path=rows.jsonl", "resume=auto")
    assert fault == "eval_data_path=rows.jsonl: the run started without held-out rows; drop it"


def test_a_chat_template_is_its_content(stopped: Stopped) -> None:  # noqa: F811
    Path("own.jinja").write_text("{{ messages }}")
    given = "data.chat_template=own.jinja"
    began(stopped(given, status="completed"), chat_template=origin.template_digest("{{ messages }}"))
    assert planned(given, "resume=auto").start.done
    Path("own.jinja").write_text("{{ messages }}!")
    assert faults(given, "resume=auto") == [f"data.chat_template=own.jinja: {CHANGED}"]


def test_a_run_that_has_not_read_its_rows_goes_by_what_was_there_when_it_began(stopped: Stopped) -> None:  # noqa: F811
    stopped(status="completed")
    shutil.copyfile("rows.jsonl", "copy.jsonl")
    assert planned("data_path=copy.jsonl", "resume=auto").start.done
    Path("rows.jsonl").write_text(f"{json.dumps(OTHER)}\n")
    assert "started with different rows" in faults("resume=auto")[0]


def test_a_checkpoint_knows_its_rows(stopped: Stopped) -> None:  # noqa: F811
    run = stopped()
    for path in checkpoints.saved(run):
        facts = checkpoints.read(path).facts | {"data": {"train": report("rows.jsonl"), "eval": None}}
        (path / checkpoints.SEAL).write_text(json.dumps(facts))
    given = ["resume=out/checkpoints/checkpoint-10", "output_dir=new"]
    assert planned(*given).start.checkpoint
    Path("rows.jsonl").write_text(f"{json.dumps(OTHER)}\n")
    assert faults(*given) == [f"data_path=rows.jsonl: {CHANGED}"]


def test_another_model_on_the_hub_is_another_model(stopped: Stopped) -> None:  # noqa: F811
    stopped("model_path=them/model", status="completed")
    assert "started with a different model, them/model" in faults("model_path=them/other", "resume=auto")[0]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was written lies well in the past."""
    ahead = origin.time.time_ns() + 1000 * 10**9
    monkeypatch.setattr(origin.time, "time_ns", lambda: ahead)


@pytest.mark.usefixtures("later")
def test_rows_that_were_not_touched_are_not_read_again(stopped: Stopped, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    began(stopped(status="completed"))
    monkeypatch.setattr(origin, "_fingerprint", lambda *_: pytest.fail("they were read"))
    assert planned("resume=auto").start.done


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("restored", [True, False])
def test_a_change_that_hides_its_time_is_seen(stopped: Stopped, restored: bool) -> None:  # noqa: F811
    began(stopped(status="completed"))
    before, text = Path("rows.jsonl").stat(), Path("rows.jsonl").read_text()
    Path("rows.jsonl").write_text(text.replace("Eight", "Seven"))
    if restored:
        Path("rows.jsonl").write_text(text)
    os.utime("rows.jsonl", ns=(before.st_atime_ns, before.st_mtime_ns))
    if restored:
        assert planned("resume=auto").start.done
    else:
        assert faults("resume=auto") == [f"data_path=rows.jsonl: {CHANGED}"]


def test_what_is_new_is_not_judged_by_its_time() -> None:
    assert origin.seen("rows.jsonl") is None
    assert origin.seen("them/rows") is None


def test_a_sweep_does_not_skip_what_was_trained_on_other_rows() -> None:
    typed = ["model_path=model", "data_path=rows.jsonl", "lr=1e-5,2e-5", "output_dir=sweep", "resume=auto"]
    planner = Planner(["lr"])
    jobs = planner.jobs(read(typed).jobs())
    sweep = SweepDir("sweep")
    with sweep.held():
        sweep.write(jobs, folder=".", overrides=typed, config_dirs=[])
    for job in jobs:
        plan, run = planner.plan(job, sweep.path), sweep.run_of(job)
        manifest = train.provenance.manifest([], plan.config, plan.composition.choices)
        run.create(plan.config, list(plan.composition.overrides), manifest)
        began(run).write_result(TrainResult("completed", str(run.path)))
    assert len(planned_sweep(typed).jobs) == 2
    Path("rows.jsonl").write_text(f"{json.dumps(OTHER)}\n")
    with pytest.raises(ConfigError) as caught:
        planned_sweep(typed)
    assert str(caught.value) == f"data_path=rows.jsonl: {CHANGED}"
