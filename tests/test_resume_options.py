"""A run and a sweep keep the config options that did not come with the project, and resume from these."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.config_store import ConfigStore

from tests.test_resume import here  # noqa: F401  a fixture
from training_hub import resume, train
from training_hub.errors import ConfigError
from training_hub.run import RunDir
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.again import command_of
from training_hub.sweeps.expand import read
from training_hub.sweeps.plan import Planner

EXPERIMENT = """\
# @package _global_
# a comment
defaults:
  - /common/rates
  - override /model: mine
lr: 3e-4
"""


@pytest.fixture
def options(here: Path) -> list[str]:  # noqa: F811
    """Two folders with options: an experiment that chooses a model's, and takes a part that is in no config group."""
    first, second = here / "first", here / "second"
    for file, text in (
        (first / "experiment" / "mine.yaml", EXPERIMENT),
        (first / "common" / "rates.yaml", "# @package _global_\nweight_decay: 0.25\n"),
        (second / "model" / "mine.yaml", "defaults: [auto]\nattn_implementation: eager\n"),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    shutil.copyfile(Path(__file__).parent.parent / "conf" / "model" / "auto.yaml", second / "model" / "auto2.yaml")
    return ["first", "second"]


def started(folders: list[str], *typed: str) -> RunDir:
    """A run that has begun, as far as the front begins it."""
    settings = ["model_path=model", "data_path=rows.jsonl", "output_dir=out", *typed]
    with train._begun(train.plan(train.composed(settings, folders)), []) as (run, _):
        run.update_manifest(status="failed")
    return run


def resumed(run: RunDir, *changed: str, folders: tuple[str, ...] = ()) -> train.Plan:
    return train.plan(train.composed(*resume.settings_of(str(run.path), changed, folders)))


def test_a_run_resumes_from_the_options_in_its_folder(options: list[str], here: Path) -> None:  # noqa: F811
    run = started(options, "experiment=mine")
    names = sorted(str(file.relative_to(run.conf)) for file in run.conf.rglob("*.yaml"))
    assert names == ["common/rates.yaml", "experiment/mine.yaml", "model/mine.yaml"]
    for folder in options:
        shutil.rmtree(folder)
    config = resumed(run).config
    assert (config["lr"], config["weight_decay"]) == (3e-4, 0.25)
    assert config["model"]["attn_implementation"] == "eager"


def test_an_option_that_was_edited_since_changes_nothing(options: list[str], here: Path) -> None:  # noqa: F811
    run = started(options, "experiment=mine")
    (here / "first/experiment/mine.yaml").write_text(EXPERIMENT.replace("3e-4", "1"))
    assert resumed(run).config["lr"] == 3e-4


def test_a_folder_that_is_typed_with_resume_comes_first(options: list[str], here: Path) -> None:  # noqa: F811
    run = started(options, "experiment=mine")
    (here / "first/experiment/mine.yaml").write_text(EXPERIMENT + "logging_steps: 7\n")
    assert resumed(run, folders=("first",)).config["logging_steps"] == 7
    (here / "first/experiment/mine.yaml").write_text(EXPERIMENT.replace("3e-4", "1e-4"))
    with pytest.raises(ConfigError, match="started with"):
        resumed(run, folders=("first",))


def test_a_run_that_is_resumed_keeps_its_options(options: list[str], here: Path) -> None:  # noqa: F811
    run = started(options, "experiment=mine")
    shutil.rmtree("first")
    with train._begun(resumed(run), []):
        pass
    shutil.rmtree("second")
    assert resumed(run).config["lr"] == 3e-4


def test_a_run_in_place_of_another_keeps_its_own_options_alone(options: list[str], here: Path) -> None:  # noqa: F811
    started(options, "experiment=mine")
    assert not started([], "overwrite=true").conf.exists()


def test_an_option_from_python_is_kept(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    store = ConfigStore.instance()
    monkeypatch.setattr(store, "repo", {**store.repo, "experiment": dict(store.repo.get("experiment", {}))})
    store.store(group="experiment", name="made", node={"lr": 1e-3, "data": {"format": "auto"}}, package="_global_")
    run = started([], "experiment=made")
    assert run.conf.joinpath("experiment/made.yaml").is_file()
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert resumed(run).config["lr"] == 1e-3


def test_texts_that_look_like_numbers_stay_texts(here: Path) -> None:  # noqa: F811
    (here / "own/experiment").mkdir(parents=True)
    text = "# @package _global_\nsample_prompts: ['1e-5', 'on', '1_000']\nlr: 1e-5\n"
    (here / "own/experiment/odd.yaml").write_text(text)
    run = started(["own"], "experiment=odd")
    assert resumed(run).config["sample_prompts"] == ["1e-5", "on", "1_000"]


def test_nothing_is_written_outside_the_folder_of_options(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "a/b")
    run.write_options({"../out": "x", "../../out": "x", "/etc/out": "x", "in/../../conf2": "x"})
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_start_that_was_killed_while_it_wrote_them_can_be_tried_again(options: list[str], here: Path) -> None:  # noqa: F811
    run = RunDir(here / "out")
    with run.held():
        run.write_options({"experiment/mine": "lr: 1\n"})
    assert run.is_free()
    started(options, "experiment=mine")


def test_a_sweep_keeps_the_options_of_all_its_runs(options: list[str], here: Path) -> None:  # noqa: F811
    (here / "first/experiment/other.yaml").write_text("# @package _global_\nlr: 2e-4\n")
    planner = Planner(["experiment"], options)
    typed = ["model_path=model", "data_path=rows.jsonl", "experiment=mine,other"]
    jobs = planner.jobs(read(typed, options).jobs())
    sweep = SweepDir(here / "sweep")
    with sweep.held():
        entries = {"folder": str(here), "overrides": typed, "config_dirs": options}
        sweep.write(jobs, planner.kept, **entries)
    for folder in options:
        shutil.rmtree(folder)
    words, folders = command_of("sweep", [])
    again = Planner(["experiment"], folders).jobs(read(words, folders).jobs())
    assert {job.digest for job in again} == {job.digest for job in jobs}


def test_a_folder_of_options_typed_with_a_sweep_is_heard(here: Path) -> None:  # noqa: F811
    sweep = SweepDir(here / "sweep")
    with sweep.held():
        sweep.write([Job("d", "d", (), {})], {}, folder=str(here), overrides=[], config_dirs=[])
    assert command_of("sweep", [], ["more"])[1] == [str(here / "more")]


def test_every_option_of_a_chosen_group_is_composed_where_values_are_chosen(options: list[str]) -> None:
    asked = read(["hydra/sweeper=optuna", "experiment=choice(mine,other)", "lr=interval(1,2)"], options)
    assert [[text for text in job if "experiment" in text] for job in asked.samples()] == [
        ["experiment=mine"], ["experiment=mine"], ["experiment=other"],
    ]  # fmt: skip


def test_an_experiment_of_a_package_that_is_gone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    site = here / "site"
    for file, text in (
        ("brings/__init__.py", ""),
        ("brings/conf/experiment/brought.yaml", "# @package _global_\nlr: 7e-5\n"),
        ("brings-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n"),
        ("brings-1.0.dist-info/entry_points.txt", "[training_hub.conf]\nbrings = brings.conf\n"),
    ):
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text)
    with monkeypatch.context() as installed:
        installed.syspath_prepend(str(site))
        run = started([], "experiment=brought")
        assert resumed(run).config["lr"] == 7e-5  # what is installed and what is kept are one option
    assert resumed(run).config["lr"] == 7e-5


def rewrite(run: RunDir, config: dict[str, Any]) -> None:
    """Give a run another config, as an older version of the project would have written it."""
    text = yaml.safe_dump(config)
    run.config.write_text(text)
    run.seal({run.config.name: text})


def test_a_setting_that_did_not_exist_when_the_run_began_is_taken_at_its_default(here: Path) -> None:  # noqa: F811
    run = started([])
    before = run.read_config()
    del before["recipe"]["optim"], before["data"]["num_proc"]
    rewrite(run, before)
    start = resumed(run).start
    assert start.added == ("recipe.optim=adamw_torch_fused",)  # num_proc may change
    assert "new settings, taken at their defaults: recipe.optim=adamw_torch_fused" in start.text(run)


def test_a_setting_that_is_typed_now_and_was_not_there_is_a_change(here: Path) -> None:  # noqa: F811
    run = started([])
    before = run.read_config()
    del before["recipe"]["optim"]
    rewrite(run, before)
    with pytest.raises(ConfigError, match=r"recipe.optim=sgd: .* started with null"):
        resumed(run, "recipe.optim=sgd")


def test_a_setting_that_was_deleted_is_not_a_new_one(here: Path) -> None:  # noqa: F811
    started([], "~recipe.optim")
    with pytest.raises(ConfigError, match=r"recipe.optim=adamw_torch_fused: .* started with null"):
        train.plan(train.composed(["model_path=model", "data_path=rows.jsonl", "output_dir=out", "resume=auto"]))
