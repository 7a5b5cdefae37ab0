"""The verb validate, through the real command line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.workers.conftest import conversation


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(conversation(number)) + "\n" for number in range(12)))
    return path


def validate(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training_hub", "validate", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_shows_counts_lengths_and_first_rows(tiny: Path, rows: Path, tmp_path: Path) -> None:
    done = validate(
        f"model_path={tiny}", f"data_path={rows}", "rows=2", f"plot={tmp_path}/lengths.png",
        f"data.cache_dir={tmp_path}/cache",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
    assert (counts["  rows read"], counts["  rows kept"]) == ("12", "12")
    assert 0 < int(counts["  trained tokens"]) < int(counts["  tokens"])
    assert done.stdout.count("trained tokens [like this]") == 2
    assert re.search(r"<\|assistant\|>\[[a-z ]+</s>\]", done.stdout)
    assert "<|assistant|>" in done.stdout
    assert (tmp_path / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_only_model_and_data_are_needed(tiny: Path, rows: Path, tmp_path: Path) -> None:
    words = [f"model_path={tiny}", f"data_path={rows}", f"data.cache_dir={tmp_path}/cache", "algorithm=osft"]
    assert validate(*words).returncode == 0


def test_everything_wrong_is_told(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\nnot json\n')
    done = validate(f"model_path={tiny}", f"data_path={tmp_path}/bad.jsonl", "rows=two")
    assert (done.returncode, done.stderr) == (2, "rows=two: must be a whole number\n")
    done = validate(f"model_path={tiny}", f"data_path={tmp_path}/bad.jsonl", "lrr=1")
    assert done.returncode == 2
    assert "lrr=1: no such parameter; did you mean lr?" in done.stderr
    assert "line 1: " in done.stderr
    assert "line 2: not valid JSON" in done.stderr


def test_missing_files_are_named(tmp_path: Path) -> None:
    done = validate()
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "model_path: required parameter is missing; add model_path=...",
        "data_path: required parameter is missing; add data_path=...",
    ]


def test_a_tokenizer_that_does_not_load_is_one_line(tiny: Path, rows: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / "tokenizer.json").write_text("{")
    done = validate(f"model_path={broken}", f"data_path={rows}", f"data.cache_dir={tmp_path}/cache")
    assert done.returncode == 2
    [text] = done.stderr.splitlines()
    assert text.startswith(f"model_path={broken}: its tokenizer does not load: ")


def test_a_picture_that_cannot_be_written_is_named_before_anything_is_read(rows: Path, tiny: Path) -> None:
    words = [f"model_path={tiny}", f"data_path={rows}"]
    assert validate(*words, "plot=a.doc").stderr == "plot=a.doc: must end in .png, .svg, .pdf\n"
    assert validate(*words, "plot=/nix/a.png").stderr == "plot=/nix/a.png: cannot write to /nix; choose another\n"


def test_an_environment_that_cannot_show_rows_is_named(rows: Path, tiny: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    done = validate(f"model_path={tiny}", f"data_path={rows}", f"backend.python={python}")
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "backend=trl: not installed: transformers, numpy, rich; "
            f"uv pip install --python {python} 'transformers' 'numpy' 'rich'"
        ],
    )
