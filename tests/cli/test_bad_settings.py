"""Wrong settings, of the user's files above all: one line a fault, exit status 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_bad_input import lines, write

# What is typed beside a good model_path and data_path, and every line of the answer.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "a deleted setting": (
        ["~model.dtype"],
        ["~model.dtype: a parameter cannot be deleted; set it to null or to its default"],
    ),
    "a deleted group": (["~data"], ["~data: a config group cannot be deleted; drop it, or choose another option"]),
    "infinity": (["lr=inf"], ["lr=inf: must be a finite number"]),
    "not a number": (["eps=nan"], ["eps=nan: must be a finite number"]),
    "no data path": (["data_path=null"], ["data_path=null: must be text"]),
    "an empty data path": (["data_path="], ["data_path=: is empty"]),
    "an empty model path": (["model_path="], ["model_path=: is empty"]),
    "a file missing in a folder that is there": (
        ["data_path=model/quikstart"],
        ["data_path=model/quikstart: no such file or folder"],
    ),
    "a parameter and what follows it": (
        ["max_seq_len=128", "data.max_seq_len=256"],
        ["max_seq_len=128: data.max_seq_len=256 is set as well; keep one of the two"],
    ),
    "a limit for checkpoints that are never saved": (
        ["save_total_limit=2"],
        ["save_total_limit=2: has no effect by itself; add save_steps or checkpoint_at_epoch or callbacks"],
    ),
    "a derived setting": (
        ["launcher.world_size=3"],
        ["launcher.world_size=3: follows from nnodes and nproc_per_node; set nnodes and nproc_per_node"],
    ),
    "no such folder of configs": (["--config-dir=nix"], ["--config-dir=nix: no such folder"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_setting_gets_its_line(name: str, cli: Cli, good: list[str]) -> None:
    typed, expected = CASES[name]
    names = {each.split("=")[0] for each in typed}
    done = cli(*(word for word in good if word.split("=")[0] not in names), *typed)
    assert (done.returncode, lines(done.stderr)) == (2, expected)


BROKEN = {
    "not closed": ("lr: [1\n", "experiment/mine.yaml, line 3: not valid YAML: did not find expected ',' or ']'"),
    "a key twice": ("lr: 1\nlr: 2\n", "lr: is given twice (experiment/mine.yaml, lines 2 and 3); keep one of the two"),
    "a list": ("- a\n", "experiment/mine.yaml: must hold settings, not a list; write NAME: VALUE"),
    "a value for a node": (
        "lr: 1\nmodel: foo\n",
        "model=foo: must hold settings (experiment/mine.yaml, line 3); write NAME: VALUE below it",
    ),
    "no node": ("data:\n", "data=null: must hold settings (experiment/mine.yaml, line 2); write NAME: VALUE below it"),
    "a value for a logger": (
        "logger: {jsonl: foo}\n",
        "logger.jsonl=foo: must hold settings (experiment/mine.yaml, line 2); write NAME: VALUE below it",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_of_the_users_is_named_with_its_line(name: str, cli: Cli, good: list[str], folder: Path) -> None:
    content, expected = BROKEN[name]
    write(folder, "conf/experiment/mine.yaml", f"# @package _global_\n{content}")
    done = cli(*good, "experiment=mine", "--config-dir", "conf")
    assert (done.returncode, len(lines(done.stderr))) == (2, 1), done.stderr
    assert done.stderr.startswith(expected)


def test_an_unknown_option_is_refused_with_folders_of_the_users_own_too(
    cli: Cli, good: list[str], folder: Path
) -> None:
    write(folder, "conf/experiment/team/mine.yaml", "# @package _global_\nlr: 1e-4\n")
    done = cli(*good, "experiment=team/mien", "--config-dir", "conf")
    expected = "experiment=team/mien: no such option; did you mean team/mine?"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])
    assert cli("plan", *good, "experiment=team/mine", "--config-dir", "conf").returncode == 0


def test_a_tilde_in_a_path_is_the_home_folder_for_all_readers(cli: Cli, folder: Path) -> None:
    write(
        folder,
        "conf/experiment/mine.yaml",
        "# @package _global_\nmodel_path: ~/model\ndata_path: ~/rows.jsonl\noutput_dir: ~/out\n"
        "data: {cache_dir: ~/cache}\n",
    )
    done = cli("plan", "experiment=mine", "--config-dir", "conf", HOME=str(folder))
    assert done.returncode == 0, done.stderr
    assert "~/" not in done.stdout
    assert f"cache_dir: {folder}/cache" in done.stdout
    assert f"output_dir: {folder}/out" in done.stdout


def test_a_broken_config_of_the_model_is_refused(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "model/config.json", "{")
    done = cli("plan", *good)
    expected = "model_path=model: its config.json is not valid JSON; download the model again"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


@pytest.mark.parametrize("words", [["save_total_limit=2", "save_steps=5"], ["save_total_limit=null"]])
def test_a_limit_for_checkpoints_that_are_saved_is_fine(words: list[str], cli: Cli, good: list[str]) -> None:
    assert cli("plan", *good, *words).returncode == 0


def test_the_order_of_faults_is_the_same_every_time(cli: Cli, good: list[str]) -> None:
    words = ["lr=${nix}", "seed=${nix}", "beta1=${nix}", "warmup_steps=${nix}"]
    orders = {cli(*good, *words, PYTHONHASHSEED=seed).stderr for seed in ("1", "2", "3")}
    assert len(orders) == 1


def test_two_names_of_a_parameter_may_agree(cli: Cli, good: list[str]) -> None:
    assert cli("plan", *good, "learning_rate=1", "lr=1.0").returncode == 0
