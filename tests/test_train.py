"""How a run ends where something breaks outside its worker, and that it has its folder to itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import TURNS
from training_hub import train
from training_hub.errors import ConfigError, RunFailed
from training_hub.launchers.local import LocalLauncher
from training_hub.run import RunDir, RunSpec


@pytest.fixture
def planned(tmp_path: Path) -> train.Plan:
    """A plan that passes every check."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps({'messages': TURNS})}\n" * 3)
    words = [f"model_path={tmp_path}/model", f"data_path={tmp_path}/rows.jsonl", f"output_dir={tmp_path}/out"]
    return train.plan(train.composed(words))


def with_worker(planned: train.Plan, *command: str) -> train.Plan:
    """The same run by another program."""
    return replace(planned, spec=replace(planned.spec, commands=(command,)))


@pytest.mark.parametrize(
    ("error", "status"), [(OSError("nothing left"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_a_front_that_breaks_leaves_no_run_that_seems_to_go_on(
    planned: train.Plan, error: BaseException, status: str
) -> None:
    class Breaking(LocalLauncher):
        @classmethod
        def launch(cls, spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int:
            raise error

    with pytest.raises(type(error)):
        train.run(replace(planned, launcher=Breaking))
    run = RunDir(planned.spec.run_dir)
    result = run.read_result()
    assert result is not None
    assert (result.status, run.read_manifest()["status"]) == (status, status)
    assert type(error).__name__ in str(result.error)


def test_a_result_that_cannot_be_written_is_a_failed_run_all_the_same(planned: train.Plan) -> None:
    worker = with_worker(planned, "sh", "-c", f"rm -r '{planned.spec.run_dir}'; exit 3")
    with pytest.raises(RunFailed, match="exit status 3"):
        train.run(worker)


@pytest.mark.parametrize(("node_rank", "status"), [(0, "failed"), (1, "completed")])
def test_only_the_first_machine_must_have_a_result(planned: train.Plan, node_rank: int, status: str) -> None:
    worker = with_worker(planned, "true")
    machine = replace(worker, spec=replace(worker.spec, settings={"node_rank": node_rank}))
    with nullcontext() if node_rank else pytest.raises(RunFailed, match="exit status 0"):
        train.run(machine)
    assert RunDir(planned.spec.run_dir).read_manifest()["status"] == status


def test_a_folder_holds_one_run_at_a_time(planned: train.Plan) -> None:
    run = RunDir(planned.spec.run_dir)
    with run.held() as alone:
        assert alone
        before = sorted(run.path.iterdir())
        with pytest.raises(ConfigError, match=r"^output_dir=\S+/out: a run is active there; wait until it ends"):
            train.run(with_worker(planned, "false"))
        assert sorted(run.path.iterdir()) == before
    with pytest.raises(RunFailed):
        train.run(with_worker(planned, "false"))


def test_a_run_that_goes_on_holds_its_folder(planned: train.Plan) -> None:
    seen = []

    class Looking(LocalLauncher):
        @classmethod
        def launch(cls, spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int:
            with run.held() as alone:
                seen.append(alone)
            return 1

    with pytest.raises(RunFailed):
        train.run(replace(planned, launcher=Looking))
    assert seen == [False]


def test_a_result_names_whole_paths(planned: train.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunFailed):
        train.run(replace(planned, spec=replace(planned.spec, run_dir="out", commands=(("false",),))))
    result = RunDir("out").read_result()
    assert result is not None
    assert result.run_dir == str(tmp_path / "out")
    assert RunDir("out").final_checkpoint.is_absolute()


def test_the_first_line_says_where_the_run_is(planned: train.Plan, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunFailed):
        train.run(with_worker(planned, "false"))
    assert capsys.readouterr().out.splitlines()[0] == f"run {planned.spec.run_dir}"
