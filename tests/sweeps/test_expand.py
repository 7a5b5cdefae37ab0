"""What is typed after `-m`, and the jobs that it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from training_hub.errors import ConfigError
from training_hub.sweeps.expand import read


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (["lr=1e-6,5e-6", "seed=1,2"], ["lr=1e-06 seed=1", "lr=1e-06 seed=2", "lr=5e-06 seed=1", "lr=5e-06 seed=2"]),
        (["seed=range(1,4)"], ["seed=1", "seed=2", "seed=3"]),
        (["seed=choice(1,2)"], ["seed=1", "seed=2"]),
        (["algorithm=glob([d*,s*])"], ["algorithm=dpo", "algorithm=sft"]),
        (["backend=glob(*,exclude=[inst*,mini*,unsl*])"], ["backend=trl"]),
        (["data_path='a,b'"], ["data_path='a,b'"]),
        (["sample_prompts=[a,b],[c]"], ["sample_prompts=[a,b]", "sample_prompts=[c]"]),
        (["lr=1"], ["lr=1"]),
    ],
)
def test_values_are_combined_as_hydra_does(words: list[str], jobs: list[str]) -> None:
    assert [" ".join(job) for job in read(words).jobs()] == jobs


def test_glob_sees_experiments_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    for name in ("one", "two"):
        (tmp_path / "experiment" / f"{name}.yaml").write_text("# @package _global_\nlr: 1\n")
    jobs = read(["experiment=glob(*,exclude=quick*)"], [str(tmp_path)]).jobs()
    assert jobs == [["experiment=one"], ["experiment=two"]]


def test_what_is_the_sweeps_is_no_setting_of_its_runs() -> None:
    asked = read(["lr=1,2", "jobs=3", "output_dir=there", "resume=true"])
    assert (asked.own, asked.output_dir, asked.resume) == ({"jobs": 3}, "there", "auto")
    assert asked.jobs() == [["lr=1"], ["lr=2"]]
    assert asked.swept == ("lr",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["jobs=0"], "jobs=0: must be greater than 0"),
        (["jobs=two"], "jobs=two: must be a whole number"),
        (["array_parallelism=-1"], "array_parallelism=-1: must be greater than 0"),
        (
            ["jobs=2", "array_parallelism=3"],
            "array_parallelism=3: the same parameter is given as jobs=2; keep one of the two",
        ),
        (["jobs=1,2"], "jobs=1,2: cannot be swept; give one value"),
        (["output_dir=a,b"], "output_dir=a,b: cannot be swept; give one value"),
        (["resume=out"], "resume=out: a sweep resumes in its own folder; give output_dir=, and resume=auto"),
        (["launcher=local,slurm"], "launcher=local,slurm: cannot be swept; give one value"),
        (["overwrite=true"], "overwrite=true: a sweep never overwrites; choose another output_dir"),
        (["lr=[1"], "lr=[1: not a setting; write NAME=VALUE, and quote a value with special characters: "
                    "'NAME=\"VALUE\"'"),
        (["lr=interval(0,1)"], "lr=interval(0,1): is a continuous range; list the values, or add "
                               "hydra/sweeper=optuna, which chooses some"),
        (["seed=range(3,1)"], "seed=range(3,1): holds no values; check its bounds or its pattern"),
        (
            ["experiment=glob(no_such*)"],
            "experiment=glob(no_such*): holds no values; check its bounds or its pattern",
        ),
    ],
)  # fmt: skip
def test_what_a_sweep_cannot_have_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(words).jobs()
    assert refusal.value.faults == (message,)


def declared(folder: Path, content: str) -> list[str]:
    (folder / "experiment").mkdir()
    (folder / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{content}")
    return [str(folder)]


def test_values_that_a_file_declares_are_swept_over(tmp_path: Path) -> None:
    folders = declared(tmp_path, "hydra: {sweeper: {params: {lr: '1,2', seed: 'range(1,3)'}}}\n")
    jobs = [" ".join(job) for job in read(["experiment=mine"], folders).jobs()]
    assert jobs == [f"lr={lr} seed={seed} experiment=mine" for lr in (1, 2) for seed in (1, 2)]
    assert read(["experiment=mine", "lr=3"], folders).swept == ("seed",)


@pytest.mark.parametrize("words", [["+hydra.sweeper.params.seed='1,2'"], ["hydra.sweeper.params={seed: '1,2'}"]])
def test_values_of_hydras_sweeper_may_be_typed(words: list[str]) -> None:
    assert read(words).jobs() == [["seed=1"], ["seed=2"]]


@pytest.mark.needs("hydra_plugins.hydra_optuna_sweeper")
def test_a_sweeper_that_a_file_chooses_is_used(tmp_path: Path) -> None:
    content = "  mode: MULTIRUN\n  sweeper: {n_trials: 20, params: {lr: 'tag(log,interval(1e-5,1e-3))'}}\n"
    folders = declared(tmp_path, f"defaults: [override /hydra/sweeper: optuna]\nhydra:\n{content}")
    asked = read(["experiment=mine"], folders)
    assert (asked.plugin, asked.chooses_values, asked.swept) == ("hydra/sweeper=optuna", True, ("lr",))
    assert asked.samples() == [["lr=1e-05", "experiment=mine"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.sweeper.params.lr=1,2"], "hydra.sweeper.params.lr=1,2: cannot be swept; write lr=1,2"),
        (["hydra/launcher=basic,joblib"], "hydra/launcher=basic,joblib: cannot be swept; give one value"),
        (["hydra.sweeper.params={jobs: 2}"], "hydra.sweeper.params.jobs=2: not a setting of a run; type it after -m"),
        (["hydra.sweeper.params=2"], "hydra.sweeper.params=2: must be a mapping of names to values; "),
        (["hydra.mode=RUN", "lr=1,2"], "hydra.mode=RUN: -m asks for a sweep; keep one of the two"),
        (["experiment=no,such"], "experiment=no,such: no such option; choose from "),
    ],
)
def test_a_setting_of_hydras_that_no_sweep_can_have_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(words)
    assert error.value.faults[0].startswith(said)
