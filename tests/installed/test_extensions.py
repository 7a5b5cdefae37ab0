"""Packages that add choices: found, named, refused where Hydra would pass over them, and trained with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from training_hub import create_algorithm
from training_hub.cli import main
from training_hub.config.choices import options
from training_hub.errors import ConfigError
from training_hub.installed.extensions import extensions
from training_hub.installed.locate import ALGORITHM, find_class
from training_hub.registry import AlgorithmRegistry

Install = Callable[..., None]


@pytest.fixture
def installed(extension: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, installed for this process."""
    monkeypatch.syspath_prepend(str(extension))
    return extension


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that installs a package `NAME` with these config files, as pip leaves it."""

    def write(name: str, *files: str) -> None:
        place = tmp_path / name
        metadata = place / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[training_hub.conf]\n{name} = {name}.conf\n")
        (place / name).mkdir()
        (place / name / "__init__.py").write_text("raise AssertionError('imported')\n")
        for file in files:
            (place / name / "conf" / file).parent.mkdir(parents=True, exist_ok=True)
            (place / name / "conf" / file).write_text("# @package _global_\nlr: 0.5\n")
        monkeypatch.syspath_prepend(str(place))

    return write


def test_an_extension_is_found_with_its_version_its_package_and_its_files(installed: Path) -> None:
    (found,) = extensions()
    assert (found.name, found.package) == ("training-hub-anchor 0.1.0", "training_hub_anchor")
    assert [str(path) for path in found.options()] == [
        "algorithm/anchored_sft.yaml",
        "format/rationale.yaml",
        "launcher/background.yaml",
        "recipe/anchored_sft/trl.yaml",
    ]


def test_list_and_explain_say_what_is_of_an_extension(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["anchored_sft", "-", "-", "default", "-"] for line in listed)
    assert listed[-1].split("  ")[0] == "training-hub-anchor 0.1.0"
    assert main(["explain", "algorithm=anchored_sft", "anchor=0.25"]) == 0
    explained = capsys.readouterr().out
    assert "recipe/anchored_sft/trl is of training-hub-anchor 0.1.0\n" in explained
    assert [line.split() for line in explained.splitlines() if line.startswith("anchor ")] == [
        ["anchor", "0.25", "command", "line", "algorithm.anchor", "=", "0.25"]
    ]


def test_the_defaults_of_an_extension_do_not_count_as_the_users_word(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """lora_r would be refused if somebody had set it; block_size of sft's file, which anchored_sft takes, is not."""
    assert main(["explain", "algorithm=anchored_sft"]) == 0
    assert main(["explain", "algorithm=anchored_sft", "lora_r=8"]) == 2
    assert "lora_r=8: anchored_sft has no such parameter" in capsys.readouterr().err


def test_python_knows_an_extension_like_what_is_built_in(installed: Path) -> None:
    assert AlgorithmRegistry.list_backends("anchored_sft") == ["trl"]
    assert create_algorithm("anchored_sft").get_optional_params()["anchor"] is float
    assert find_class("training_hub_anchor.algorithm.AnchoredSFTAlgorithm", ALGORITHM).name == "anchored_sft"


def test_without_it_nothing_of_it_is_there() -> None:
    assert "anchored_sft" not in options("algorithm")
    with pytest.raises(ConfigError, match="code of training_hub_anchor is not run from a config"):
        find_class("training_hub_anchor.algorithm.AnchoredSFTAlgorithm", ALGORITHM)


def test_an_experiment_may_come_from_a_package_that_is_never_imported(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("recipes", "experiment/ours.yaml")
    assert main(["explain", "experiment=ours"]) == 0
    assert "experiment=ours" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["algorithm/sft.yaml"], "other 1.0: algorithm/sft.yaml is an option of training_hub; rename one, or"),
        (["algoritm/new.yaml"], "other 1.0: algoritm/new.yaml: no such config group; did you mean algorithm?"),
        ([], "other 1.0: no folder other.conf of config groups; reinstall it, or remove it"),
    ],
    ids=["an option that is there", "a group that is not there", "no folder"],
)
def test_what_hydra_would_pass_over_is_refused(
    files: list[str], message: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("other", *files)
    assert main(["explain"]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_two_extensions_with_one_option_are_refused(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("one", "experiment/ours.yaml")
    install("two", "experiment/ours.yaml")
    assert main(["list"]) == 2
    assert capsys.readouterr().err.startswith("two 1.0: experiment/ours.yaml is an option of one 1.0; rename one")


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "trl")
def test_an_extension_trains_through_the_real_command_line(extension: Path, tiny: Path, tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two three"}]}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row)}\n" * 16)
    settings = ["algorithm=anchored_sft", "anchor=0.1", f"model_path={tiny}", "data_path=rows.jsonl", "lr=1e-2"]
    words = [*settings, "effective_batch_size=4", "max_seq_len=32", "output_dir=run", "data.cache_dir=cache"]
    env = os.environ | {"PYTHONPATH": str(extension), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training_hub", *words]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metrics"]["final_loss"] < result["metrics"]["first_loss"]
    assert "anchor: 0.1" in (tmp_path / "run" / "config.yaml").read_text()
