"""The arguments of an installed library against those that were tested."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.backends.conftest import UNSLOTH, unsloth_python  # noqa: F401  a fixture
from training_hub.cli import main
from training_hub.config.choices import options
from training_hub.config.groups import CONF
from training_hub.config.tested import recorded
from training_hub.installed import trust
from training_hub.verbs.doctor.drift import compared, drift, other_versions, record


@pytest.mark.needs("trl", "mini_trainer", "instructlab")
@pytest.mark.parametrize("backend", ["instructlab-training", "mini-trainer", "trl"])
def test_what_is_recorded_is_what_was_tested(backend: str) -> None:
    assert recorded(backend) == record(backend), "python scripts/record_arguments.py writes it anew"


@pytest.mark.skipif(not UNSLOTH.is_dir(), reason="unsloth is not installed beside this environment")
def test_what_is_recorded_of_unsloth_is_what_was_tested(unsloth_python: Path) -> None:  # noqa: F811
    assert recorded("unsloth") == record("unsloth", str(unsloth_python))


def test_every_backend_has_a_record() -> None:
    assert [name for name in options("backend") if not (CONF / "backend" / f"{name}.tested.json").is_file()] == []


def test_what_became_of_each_argument_is_told() -> None:
    then = {"kept": "int = 1", "warmup_ratio": "float = 0.1", "old_name": "int = 3", "dropped": "bool", "beta": "float"}
    now = {"kept": "int = 2", "warmup_share": "float = 0.1", "old_names": "str", "added": "list[str]", "beta": "float"}
    assert compared(then, now) == {
        "warmup_ratio": "renamed to warmup_share",
        "old_name": "renamed to old_names",
        "dropped": "gone",
        "added": "new: list[str]",
        "kept": "was int = 1, is int = 2",
    }


def test_of_two_like_names_the_one_with_the_same_type_and_default_is_taken() -> None:
    then = {"max_length": "int = 1024"}
    assert compared(then, {"max_lengths": "str", "max_seq_length": "int = 1024"}) == {
        "max_length": "renamed to max_seq_length",
        "max_lengths": "new: str",
    }


@pytest.fixture
def mini_trainer(tmp_path: Path) -> tuple[str, Path]:
    """An interpreter that finds a mini-trainer made up here, and the file of its script."""
    venv.create(tmp_path / "env", with_pip=False)
    [site] = (tmp_path / "env").glob("lib/*/site-packages")
    (site / "rhai_innovation_mini_trainer-0.9.7.dist-info").mkdir()
    (site / "rhai_innovation_mini_trainer-0.9.7.dist-info" / "METADATA").write_text("Version: 0.9.7\n")
    (site / "mini_trainer").mkdir()
    (site / "mini_trainer" / "__init__.py").write_text("")
    trust.allow(pythons=[str(tmp_path / "env" / "bin" / "python")])
    return str(tmp_path / "env" / "bin" / "python"), site / "mini_trainer" / "train.py"


def script(arguments: dict[str, str]) -> str:
    """A script with a typer command that takes these."""
    required = [f"    {name}: {text.removesuffix(' = ...')} = ...," for name, text in arguments.items()]
    texts = [
        f"    {name}: {text}," if " = " in text else line
        for (name, text), line in zip(arguments.items(), required, strict=True)
    ]
    return "@app.command()\ndef main(\n" + "\n".join(texts) + "\n): ...\n"


def test_the_doctor_names_what_differs_and_the_lines_that_it_touches(
    mini_trainer: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    python, file = mini_trainer
    arguments = dict(recorded("mini-trainer")["arguments"]["mini_trainer.train"])
    arguments["warmup_steps_num"] = arguments.pop("num_warmup_steps")
    del arguments["osft_unfreeze_rank_ratio"]
    arguments["brand_new"] = "int = 5"
    file.write_text(script(arguments))
    assert main(["doctor", "backend=mini-trainer", f"backend.python={python}"]) == 1
    text = capsys.readouterr().out
    lines = [line.split("  ") for line in text.splitlines() if line.startswith("mini_trainer.train ")]
    assert {line[0].split()[1]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines} == {
        "num_warmup_steps": ["renamed to warmup_steps_num", "recipe/sft/mini-trainer.yaml, line 12"],
        "osft_unfreeze_rank_ratio": ["gone", "recipe/osft/mini-trainer.yaml, line 8"],
        "brand_new": ["new: int = 5", "-"],
    }
    assert "rhai-innovation-mini-trainer 0.9.7, tested with 0.9.0" in text
    assert "arguments of the library" in text


def test_arguments_that_are_new_are_no_fault(mini_trainer: tuple[str, Path]) -> None:
    python, file = mini_trainer
    file.write_text(script(recorded("mini-trainer")["arguments"]["mini_trainer.train"] | {"brand_new": "int = 5"}))
    [found] = drift("mini-trainer", python)
    assert (found.name, found.what, found.breaks) == ("brand_new", "new: int = 5", False)


def test_a_library_that_is_as_tested_differs_in_nothing(mini_trainer: tuple[str, Path]) -> None:
    python, file = mini_trainer
    file.write_text(script(recorded("mini-trainer")["arguments"]["mini_trainer.train"]))
    assert drift("mini-trainer", python) == []


def test_a_library_that_is_not_there_has_not_changed(mini_trainer: tuple[str, Path]) -> None:
    python, _ = mini_trainer
    assert drift("trl", python) == []
    assert other_versions("trl", python) == []


@pytest.mark.slow
def test_an_older_version_of_a_real_library_is_compared(tmp_path: Path) -> None:
    """mini-trainer 0.8, downloaded without what it needs: reading it takes none of that."""
    venv.create(tmp_path / "env", with_pip=False)
    [site] = (tmp_path / "env").glob("lib/*/site-packages")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            site,
            "rhai-innovation-mini-trainer==0.8.0",
        ],
        check=True,
    )
    python = str(tmp_path / "env" / "bin" / "python")
    trust.allow(pythons=[python])
    assert "rhai-innovation-mini-trainer 0.8.0, tested with 0.9.0" in other_versions("mini-trainer", python)
    found = {each.name: (each.what, each.reserved) for each in drift("mini-trainer", python)}
    assert found["validation_data_path"] == ("gone", True)
    assert found["validate_at_epoch"] == ("gone", False)
    assert found["osft_output_dtype"] == ("new: str | None = None", False)
