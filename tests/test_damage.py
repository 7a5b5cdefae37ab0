"""Damaged run folders: every verb tells one line, or leaves the broken part out and says so. Never a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import TURNS
from training_hub import checkpoints, train
from training_hub.cli import main
from training_hub.run import RunDir, TrainResult
from training_hub.sweep_dir import Job, SweepDir
from training_hub.verbs.report.gather import gather
from training_hub.verbs.report.page import part

FILES = (
    "config.yaml",
    "overrides.yaml",
    "manifest.json",
    "metrics.jsonl",
    "samples.jsonl",
    "result.json",
    "job.json",
    "train.log",
    "stop",
    ".lock",
    "checkpoints/checkpoint-2/checkpoint.json",
    "checkpoints/final/config.json",
)
CONTENTS = {
    "empty": b"",
    "line feed": b"\n",
    "garbage": bytes(range(256)),
    "no UTF-8": b'{"status": "\xff"}\n',
    "null": b"null\n",
    "list": b"[1, [2]]\n",
    "text": b'"completed"\n',
    "number": b"7\n",
    "nan": b"NaN\n",
    "mapping": b"{}\n",
    "foreign": b'{"id": {"slurm": [1]}, "step": "x", "status": 3, "jobs": 7, "files": [], "model": 1}\n',
    "nested": b"[" * 20_000,
    "huge line": b'{"a": "' + b"x" * 300_000 + b'"}\n',
    "huge number": b'{"step": 1' + b"0" * 400 + b"}\n",
    "surrogate": b'{"status": "\\ud800", "prompt": "\\ud800"}\n',
    "anchors": b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
}
VERBS: dict[str, Callable[[str], list[str]]] = {
    "status": lambda run: ["status", run],
    "logs": lambda run: ["logs", run],
    "cancel": lambda run: ["cancel", run],
    "plot": lambda run: ["plot", run],
    "resume": lambda run: ["resume", run],
    "export": lambda run: ["export", run, "output_dir=exported"],
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a completed run in `run`, and what it was made from."""
    here = tmp_path_factory.mktemp("sound")
    (here / "model").mkdir()
    (here / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (here / "rows.jsonl").write_text(f"{json.dumps({'messages': TURNS})}\n" * 3)
    before = Path.cwd()
    os.chdir(here)
    try:
        plan = train.plan(train.composed(["model_path=model", "data_path=rows.jsonl", "output_dir=run"]))
        manifest = train.provenance.manifest(["python"], plan.config, plan.composition.choices)
        manifest["machine"]["host"] = "elsewhere"
        run = RunDir("run")
        run.create(plan.config, list(plan.composition.overrides), manifest | {"status": "completed", "total_steps": 2})
        unfinished = run.unfinished / "checkpoint-2"
        unfinished.mkdir(parents=True)
        (unfinished / "optimizer.pt").write_bytes(b"moments")
        origin = {key: plan.composition.choices[key] for key in ("algorithm", "backend")}
        checkpoints.seal(unfinished, step=2, full=True, origin=origin, rows={}, config=plan.config)
        checkpoints.publish(unfinished, run.checkpoint(2))
        run.final_checkpoint.mkdir()
        (run.final_checkpoint / "config.json").write_text("{}")
        (run.final_checkpoint / "model.safetensors").write_bytes(b"")
        for step in (1, 2):
            run.append_metrics(step=step, loss=1.0 / step, epoch=step / 2, seconds=1.0)
        run.append_sample("after", "Legs?", "Eight.")
        run.log.write_text("one line\n")
        run.write_result(TrainResult("completed", str(run.path), metrics={"final_loss": 0.5}, duration_s=3.0))
    finally:
        os.chdir(before)
    return here


@pytest.fixture
def here(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it."""
    shutil.copytree(sound, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    for file in ("run/config.yaml", "run/overrides.yaml", "run/manifest.json", "run/result.json"):
        place = tmp_path / "here" / file
        place.write_text(place.read_text().replace(str(sound), str(tmp_path / "here")))
    monkeypatch.setattr("training_hub.verbs.export.write._ask", lambda *_, **__: 0)  # seconds, in a process of its own
    return tmp_path / "here"


def put(place: Path, kind: str) -> None:
    """Leave damage of a kind in place of a file."""
    place.unlink(missing_ok=True)
    if kind == "folder":
        (place / "inner").mkdir(parents=True)
    elif kind == "link":
        place.symlink_to("nowhere")
    elif kind == "loop":
        place.symlink_to(place.name)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "missing":
        pass
    else:
        place.write_bytes(CONTENTS[kind])


def told(capsys: pytest.CaptureFixture[str], words: list[str]) -> tuple[int, str]:
    """The exit status, and what is said; a traceback and a fault of the program are failures."""
    status = main(words)
    shown = capsys.readouterr()
    assert status in (0, 1, 2), f"{words}: {status}: {shown.err}"
    assert "Traceback" not in shown.out + shown.err
    assert status == 0 or shown.err.strip()
    return status, shown.out + shown.err


@pytest.mark.parametrize("verb", [*sorted(VERBS.keys() - {"resume"}), pytest.param("resume", marks=pytest.mark.slow)])
@pytest.mark.parametrize("file", FILES)
def test_damage_is_told_in_a_line(here: Path, capsys: pytest.CaptureFixture[str], file: str, verb: str) -> None:
    for kind in (*CONTENTS, "folder", "link", "loop", "pipe", "missing"):
        shutil.rmtree("copy", ignore_errors=True)
        shutil.copytree("run", "copy")
        put(here / "copy" / file, kind)
        if file == "job.json" and verb == "resume":
            continue  # SLURM is asked
        told(capsys, VERBS[verb]("copy"))


@pytest.mark.parametrize("file", FILES)
def test_a_report_tells_what_is_left_out(here: Path, file: str) -> None:
    for kind in (*CONTENTS, "folder", "link", "loop", "pipe"):
        shutil.rmtree("copy", ignore_errors=True)
        shutil.copytree("run", "copy")
        put(here / "copy" / file, kind)
        report = gather(["run", "copy"])
        assert part(report)
        if file in ("config.yaml", "manifest.json", "result.json") and kind in ("garbage", "folder", "list", "link"):
            [damaged] = [run for run in report.runs if run.path.name == "copy"]
            assert file in f"{damaged.state.reason} {damaged.notes}"


@pytest.mark.parametrize("file", ["sweep.json", "results.csv"])
@pytest.mark.parametrize("verb", ["status", "logs", "cancel", "plot", "resume"])
def test_a_damaged_sweep_is_told_in_a_line(
    here: Path, capsys: pytest.CaptureFixture[str], file: str, verb: str
) -> None:
    for kind in (*CONTENTS, "folder", "link", "loop", "pipe"):
        shutil.rmtree("sweep", ignore_errors=True)
        sweep = SweepDir("sweep")
        with sweep.held():
            job = Job("d" * 64, "lr=1", ("lr=1",), {"lr": "1"})
            entries: dict[str, Any] = {"folder": str(here), "overrides": ["lr=1,2", "nonsense=1"], "config_dirs": []}
            sweep.write([job], **entries)
        shutil.copytree("run", "sweep/lr=1")
        put(here / "sweep" / file, kind)
        told(capsys, VERBS[verb]("sweep"))


def test_rows_that_cannot_be_read_are_left_out_and_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = here / "run" / "metrics.jsonl"
    good = metrics.read_text()
    metrics.write_text(
        good + '{"step": 3, "lo\n{"other": 1}\n[]\n{"step": 4, "loss": "x"}\n{"step": 5, "loss": true}\n' + good
    )
    said = f"{metrics}: line 3, 4, 5 and 2 more cannot be read and is left out"
    assert [row["step"] for row in RunDir("run").read_metrics()] == [1, 2, 1, 2]
    assert said in told(capsys, ["status", "run"])[1]
    assert said in told(capsys, ["plot", "run"])[1]
    assert [run.notes for run in gather(["run"]).runs] == [[said]]


def test_a_result_of_a_newer_version_is_read(here: Path) -> None:
    result = here / "run" / "result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"brand_new": {"a": 1}}))
    found = RunDir("run").read_result()
    assert found
    assert found.status == "completed"


@pytest.mark.parametrize(
    ("entry", "value"), [("status", "done"), ("status", None), ("metrics", []), ("duration_s", "3"), ("warnings", "x")]
)
def test_a_result_of_another_make_is_damage(
    here: Path, capsys: pytest.CaptureFixture[str], entry: str, value: object
) -> None:
    result = here / "run" / "result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {entry: value}))
    assert f"damaged: {result}: damaged, {entry} " in told(capsys, ["status", "run"])[1]
    status, said = told(capsys, ["resume", "run", "trust=true"])
    assert (status, said.startswith(f"{result}: damaged, {entry} ")) == (2, True)


def test_one_damaged_run_does_not_hide_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("run", "many/a")
    shutil.copytree("run", "many/b")
    Path("many/b/manifest.json").write_text("{")
    _, said = told(capsys, ["status", "many"])
    assert "many/a" in said
    assert "many/b/manifest.json: damaged, it is not valid JSON" in said


def test_a_damaged_run_can_be_overwritten(here: Path) -> None:
    Path("run/manifest.json").write_text("{")
    settings = ["model_path=model", "data_path=rows.jsonl", "output_dir=run"]
    with train._begun(train.plan(train.composed([*settings, "overwrite=true"])), []) as (run, _):
        assert run.read_manifest()["status"] == "created"


def test_a_sweep_whose_names_lead_elsewhere_is_damaged(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("../run", "/etc", "", "..", "a/b"):
        sweep = SweepDir("sweep")
        with sweep.held():
            sweep.write([Job("d", name, (), {})], folder=str(here), overrides=[], config_dirs=[])
        assert told(capsys, ["plot", "sweep"])[0] == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("file", ["manifest.json", "result.json", "config.yaml", "metrics.jsonl", "samples.jsonl",
                                  "job.json", "checkpoints/checkpoint-2/checkpoint.json"])  # fmt: skip
@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_in_place_of_another_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], file: str, data: st.DataObject
) -> None:
    place = here / "run" / file
    kept = place.read_bytes() if place.exists() else b'{"id": "12"}\n'
    first = yaml.safe_load(kept.splitlines()[0] if file.endswith("l") and "yaml" not in file else kept)
    key = data.draw(st.sampled_from(sorted(first)))
    inner = first[key]
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(VALUES)
    else:
        first[key] = data.draw(VALUES)
    try:
        place.write_text(
            yaml.safe_dump(first) if file.endswith(".yaml") else json.dumps(first) + "\n", errors="replace"
        )
        for verb in ("status", "plot", "cancel", "export", *(["resume"] if file != "job.json" else [])):
            told(capsys, VERBS[verb]("run"))
        assert part(gather(["run"]))
    finally:
        place.write_bytes(kept)
        if file == "job.json":
            place.unlink()
        shutil.rmtree(here / "run" / "stop", ignore_errors=True)
