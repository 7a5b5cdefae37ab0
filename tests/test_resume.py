"""Whether a run may go on, as the front decides it: nothing is trained here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TURNS
from tests.test_docs import ROOT, fences
from training_hub import checkpoints, resume, train
from training_hub.cli import main
from training_hub.errors import ConfigError, RunFailed
from training_hub.launchers.local import LocalLauncher
from training_hub.run import RunDir, RunSpec, TrainResult

Stopped = Callable[..., RunDir]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two models and rows."""
    for name in ("model", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'{{"architectures": ["LlamaForCausalLM"], "n": "{name}"}}')
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps({'messages': TURNS})}\n" * 3)
    pairs = {"prompt": "Legs?", "chosen": "Eight.", "rejected": "Six."}
    (tmp_path / "pairs.jsonl").write_text(f"{json.dumps(pairs)}\n" * 3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(*typed: str) -> list[str]:
    """A command, the later value of a setting."""
    given = ["model_path=model", "data_path=rows.jsonl", "output_dir=out", *typed]
    return list({word.partition("=")[0]: word for word in given}.values())


def planned(*typed: str) -> train.Plan:
    return train.plan(train.composed(words(*typed)))


def faults(*typed: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        planned(*typed)
    return list(caught.value.faults)


@pytest.fixture
def stopped() -> Stopped:
    """A run that was stopped after checkpoints at these steps."""

    def make(*typed: str, steps: tuple[int, ...] = (10, 20), status: str = "interrupted") -> RunDir:
        plan = planned(*typed)
        run = RunDir(plan.spec.run_dir)
        origin = {key: plan.composition.choices[key] for key in ("algorithm", "backend")}
        manifest = train.provenance.manifest(["python"], plan.config, plan.composition.choices)
        run.create(plan.config, list(plan.composition.overrides), manifest | {"status": status})
        for step in steps:
            unfinished = run.unfinished / f"checkpoint-{step}"
            unfinished.mkdir(parents=True)
            (unfinished / "optimizer.pt").write_bytes(b"moments")
            facts = {"origin": origin | {"model": manifest["model"]}, "rows": {}, "config": plan.config}
            checkpoints.seal(unfinished, step=step, full=True, **facts)
            checkpoints.publish(unfinished, run.checkpoint(step))
        run.append_metrics(step=20, loss=1.0)
        run.write_result(TrainResult(status, str(run.path)))
        return run

    return make


class Looking(LocalLauncher):
    """Notes what the worker would find, and fails."""

    found: dict[str, Any]

    @classmethod
    def launch(cls, spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int:
        names = [path.name for path in sorted(run.checkpoints.iterdir())]
        cls.found = {"checkpoints": names, "rows": len(run.read_metrics()), "manifest": run.read_manifest()}
        cls.found |= {"result": run.read_result(), "config": run.read_config(), "stop": run.stop_requested()}
        return 1


def launched(*typed: str) -> dict[str, Any]:
    """What the worker finds in the run directory."""
    from dataclasses import replace

    with pytest.raises(RunFailed):
        train.run(replace(planned(*typed), launcher=Looking))
    return Looking.found


@pytest.mark.parametrize("mode", ["auto", "true", "never", "false"])
def test_where_there_is_no_run_one_begins(mode: str) -> None:
    assert planned(f"resume={mode}").start == resume.NEW


def test_an_empty_word_is_no_path() -> None:
    assert faults("resume=") == ["resume=: is empty; choose from auto, must, never, or give a path"]


def test_must_wants_a_run() -> None:
    assert faults("resume=must") == [
        f"resume=must: no run in output_dir={Path.cwd()}/out; give the output_dir of a run"
    ]


def test_the_guide_shows_how_a_change_is_refused(stopped: Stopped, here: Path) -> None:
    stopped("output_dir=outputs/long")
    [fault] = faults("output_dir=outputs/long", "resume=auto", "lr=2e-5")
    assert [fault.replace(str(here), "/home/me") + "\n"] == fences(ROOT / "docs" / "guides" / "resume.md", "text")


def test_never_names_the_way_out(stopped: Stopped) -> None:
    stopped()
    way = "resume it with resume=auto, start over with overwrite=true, or choose another"
    assert faults() == [f"output_dir=out: already holds a run; {way}"]


@pytest.mark.parametrize("mode", ["auto", "true", "must"])
def test_the_same_command_goes_on_from_the_newest_checkpoint(stopped: Stopped, mode: str) -> None:
    run = stopped()
    run.request_stop()
    start = planned(f"resume={mode}").start
    assert start.checkpoint is not None
    assert (start.goes_on, start.checkpoint.step) == (True, 20)
    found = launched(f"resume={mode}")
    assert found["checkpoints"] == ["checkpoint-10", "checkpoint-20"]
    assert (found["rows"], found["result"], found["stop"]) == (1, None, False)
    assert found["manifest"]["status"] == "running"
    assert len(found["manifest"]["resumed"]) == 1
    assert found["manifest"]["created"]


def test_each_time_is_listed_and_the_beginning_stays(stopped: Stopped) -> None:
    run = stopped()
    began = run.read_manifest()["command"]
    for _ in range(2):
        launched("resume=auto")
    assert run.read_manifest()["command"] == began
    assert [list(entry) for entry in run.read_manifest()["resumed"]] == [["created", "command"]] * 2


def test_auto_begins_again_where_no_checkpoint_was_saved_and_must_does_not(stopped: Stopped) -> None:
    stopped(steps=())
    assert planned("resume=auto").start == resume.Start(goes_on=True)
    [fault] = faults("resume=must")
    assert fault == f"resume=must: {Path.cwd()}/out has no checkpoint to resume from; start over with overwrite=true"


def test_the_verb_takes_the_runs_own_settings_and_does_as_auto_does(stopped: Stopped, here: Path) -> None:
    run = stopped("lr=3e-5", steps=())
    plan = train.plan(train.composed(*resume.settings_of("out", ["num_epochs=3"])))
    assert (plan.start, plan.config["lr"], plan.config["num_epochs"]) == (resume.Start(goes_on=True), 3e-5, 3)
    assert plan.spec.run_dir == str(run.path)


@pytest.mark.parametrize("word", ["overwrite=true", "output_dir=there", "ckpt_output_dir=there", "resume=never"])
def test_the_verb_refuses_what_it_says_itself(word: str, stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    stopped()
    assert main(["resume", "out", word]) == 2
    assert capsys.readouterr().err == f"{word}: resume always uses the settings in that folder; drop it\n"


def test_must_says_what_is_wrong_with_each_checkpoint(stopped: Stopped) -> None:
    run = stopped(steps=(10,))
    (run.checkpoint(10) / "optimizer.pt").unlink()
    assert "no checkpoint to resume from; checkpoint-10: optimizer.pt is missing; " in faults("resume=must")[0]


def test_a_completed_run_has_nothing_left_to_do(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    run = stopped(status="completed")
    plan = planned("resume=auto", "save_steps=5")
    before = run.manifest.read_bytes()
    result = train.run(plan)
    assert result.status == "completed"
    assert capsys.readouterr().out == f"{run.path} is completed: nothing to do\n"
    assert run.manifest.read_bytes() == before


def test_what_a_further_machine_does_the_first_one_decides(stopped: Stopped) -> None:
    typed = ("nnodes=2", "node_rank=1", "master_addr=node0", "effective_batch_size=8")
    assert planned("resume=must", *typed).start == resume.NEW
    stopped(*typed, steps=(), status="completed")
    assert planned("resume=must", *typed).start == resume.Start(goes_on=True)


def test_a_completed_run_can_be_made_longer(stopped: Stopped) -> None:
    stopped(status="completed")
    start = planned("resume=auto", "num_epochs=2").start
    assert start.checkpoint is not None
    assert start.checkpoint.step == 20


def test_a_completed_run_without_a_checkpoint_is_not_begun_again(stopped: Stopped) -> None:
    stopped(steps=(), status="completed")
    assert "has no checkpoint to resume from" in faults("resume=auto", "num_epochs=2")[0]


CHANGES = {
    "data.train_on=all": "data.train_on=all: PLACE started with assistant",
    "effective_batch_size=4": "effective_batch_size=4: PLACE started with 8",
    "learning_rate=2e-5": "learning_rate=2e-05: PLACE started with 1e-05",
    "model.dtype=bfloat16": "model.dtype=bfloat16: PLACE started with auto",
    "recipe.optim=sgd": "recipe.optim=sgd: PLACE started with adamw_torch_fused",
    "seed=1": "seed=1: PLACE started with 42",
    "model_path=other": "model_path=other: PLACE started with a different model, HERE/model",
}


def test_what_is_learned_may_not_change_and_all_changes_are_named_at_once(stopped: Stopped, here: Path) -> None:
    run = stopped()
    expected = [text.replace("PLACE", str(run.path)).replace("HERE", str(here)) for text in CHANGES.values()]
    found = [text.partition(";")[0] for text in faults("resume=auto", *CHANGES)]
    assert sorted(found) == sorted(expected)


def test_an_argument_of_the_library_may_not_change_either(stopped: Stopped) -> None:
    run = stopped()
    way = "use that value, or choose another output_dir"
    assert faults("resume=auto", "recipe.learning_rate=1") == [
        f"recipe.learning_rate=1: {run.path} started with 1e-05; {way}"
    ]


def test_how_it_is_carried_out_may_change(stopped: Stopped, here: Path) -> None:
    run = stopped()
    start = planned(
        "resume=must", "num_epochs=3", "max_steps=50", "save_steps=7", "save_total_limit=1", "logging_steps=5",
        "logger=[jsonl,tensorboard]", "max_tokens_per_gpu=100", "packing=false", "nproc_per_node=2",
        "gradient_checkpointing=true", "data.num_proc=1", "data.cache_dir=cache", "backend.save_dtype=float32",
        "sample_prompts=[hello]", f"data_path=../{here.name}/rows.jsonl", f"model_path=../{here.name}/model",
    ).start  # fmt: skip
    assert start.checkpoint is not None
    assert start.checkpoint.path == run.checkpoint(20)


def test_another_algorithm_is_named_and_nothing_else(stopped: Stopped) -> None:
    run = stopped()
    typed = ("algorithm=dpo", "data_path=pairs.jsonl")
    way = "use that value, or choose another output_dir"
    assert faults("resume=auto", *typed) == [f"algorithm=dpo: {run.path} has algorithm=sft; {way}"]
    assert faults(f"resume={run.checkpoint(10)}", "output_dir=new", *typed) == [
        f"algorithm=dpo: {run.path} has algorithm=sft; {way}"
    ]


def test_a_backend_that_cannot_go_on_says_why(stopped: Stopped) -> None:
    pytest.importorskip("mini_trainer")
    typed = ("backend=mini-trainer", "backend.needs_gpu=false")
    assert planned("resume=auto", *typed).start == resume.NEW
    stopped(*typed)
    [fault] = faults("resume=auto", *typed)
    assert fault.startswith("resume=auto: backend=mini-trainer cannot resume: ")
    assert fault.endswith("; start over with overwrite=true")


def test_instructlab_training_goes_on_where_it_kept_its_state(stopped: Stopped) -> None:
    pytest.importorskip("instructlab.training")
    typed = ("backend=instructlab-training", "backend.needs_gpu=false", "max_seq_len=64")
    stopped(*typed)
    start = planned("resume=must", "checkpoint_at_epoch=true", "num_epochs=2", *typed).start
    assert start.checkpoint is not None
    assert start.checkpoint.step == 20


def test_the_path_of_a_run_is_enough(stopped: Stopped) -> None:
    run = stopped()
    plan = train.plan(train.composed(["model_path=model", "data_path=rows.jsonl", f"resume={run.path}"]))
    assert plan.spec.run_dir == str(run.path)
    assert plan.start.checkpoint is not None
    assert plan.start.checkpoint.step == 20


def test_going_on_from_an_older_checkpoint_sets_the_later_ones_aside(stopped: Stopped) -> None:
    run = stopped()
    assert launched(f"resume={run.checkpoint(10)}")["checkpoints"] == ["checkpoint-10", "later-checkpoint-20"]


def test_another_run_may_go_on_from_a_checkpoint(stopped: Stopped) -> None:
    run = stopped()
    found = launched(f"resume={run.checkpoint(10)}", "output_dir=new")
    assert (found["checkpoints"], found["rows"]) == (["checkpoint-10"], 1)
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-10", "checkpoint-20"]


def test_a_checkpoint_far_from_its_run_is_one_all_the_same(stopped: Stopped, here: Path) -> None:
    stopped().checkpoint(10).rename(here / "kept")
    assert launched("resume=kept", "output_dir=new")["checkpoints"] == ["checkpoint-10"]
    assert faults("resume=kept", "output_dir=new2", "lr=1")[0].startswith(f"lr=1: {here}/kept started with 1e-05")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("outo", "resume=outo: no such folder; did you mean auto?"),
        ("nowhere/at/all", "resume=nowhere/at/all: no such folder; check the path"),
        ("model", "resume=model: not a checkpoint to resume from: it has no checkpoint.json; give a run directory, or"),
        ("rows.jsonl", "resume=rows.jsonl: not a checkpoint to resume from: "),
    ],
)
def test_a_path_that_leads_nowhere_is_one_line(path: str, text: str) -> None:
    [fault] = faults(f"resume={path}")
    assert fault.startswith(text)


def test_a_path_and_another_runs_folder_do_not_go_together(stopped: Stopped) -> None:
    run = stopped()
    stopped("output_dir=second")
    assert faults(f"resume={run.path}", "output_dir=second") == [
        f"output_dir={Path.cwd()}/second: already holds another run; choose another, or drop it"
    ]


def test_going_on_and_starting_anew_do_not_go_together(stopped: Stopped) -> None:
    stopped()
    fault = "resume=auto: overwrite=true starts the run over; keep one of the two"
    assert faults("resume=auto", "overwrite=true") == [fault]


def test_a_run_that_goes_on_elsewhere_is_left_alone(stopped: Stopped) -> None:
    run = stopped()
    plan = planned("resume=auto")
    with RunDir(run.path).held(), pytest.raises(ConfigError, match="a run is active there; wait until it ends"):
        train.run(plan)


def test_a_worker_that_outlives_its_launcher_keeps_others_out(tmp_path: Path) -> None:
    import subprocess
    import sys
    import time

    code = (
        "import subprocess, sys\nfrom training_hub.run import RunDir\nrun = RunDir(sys.argv[1])\n"
        "with run.held():\n"
        "    subprocess.Popen(['sleep', '60'], stdout=-3, pass_fds=[run.lock_handle])\n"
        "    print(flush=True)\n    sys.stdin.read()\n"
    )
    front = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1], start_new_session=True,
    )  # fmt: skip
    assert front.stdout is not None
    assert front.stdin is not None
    assert front.stdout.readline()
    front.kill()
    front.wait()
    front.stdout.close()
    front.stdin.close()
    with RunDir(tmp_path / "run").held() as alone:
        assert not alone
    subprocess.run(["pkill", "-g", str(front.pid)], check=True)
    deadline = time.monotonic() + 10
    free = False
    while not free and time.monotonic() < deadline:
        with RunDir(tmp_path / "run").held() as free:
            time.sleep(0.01)
    assert free


def test_the_plan_says_where_a_run_would_go_on(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    run = stopped()
    assert main(["plan", *words("resume=auto")]) == 0
    assert f"resuming from step 20: {run.checkpoint(20)}" in capsys.readouterr().out


def test_the_verb_needs_nothing_but_the_folder(
    stopped: Stopped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped("lr=3e-5", 'output_dir="out, with marks"')
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    seen: list[list[str]] = []
    monkeypatch.setattr("training_hub.train.run", lambda plan, command: seen.append(plan))
    assert main(["resume", "../out, with marks", "num_epochs=2"]) == 0
    plan: Any = seen[0]
    assert (plan.config["lr"], plan.config["num_epochs"]) == (3e-5, 2)
    assert (plan.spec.run_dir, plan.start.checkpoint.step) == (str(run.path), 20)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ([], "resume: needs the folder of a run or a sweep; write resume DIR"),
        (["lr=1"], "resume: needs the folder of a run or a sweep; write resume DIR"),
        (["model"], "resume=model: not a run or a sweep; give the folder of one"),
    ],
)
def test_the_verb_wants_the_folder_of_a_run(typed: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", *typed]) == 2
    assert capsys.readouterr().err.splitlines() == [text]
