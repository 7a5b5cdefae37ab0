"""Secrets around a job: no file of it, and nothing that is printed, holds one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_whole_secrets import SECRETS
from tests.slurm.conftest import hub
from tests.workers.conftest import conversation

pytestmark = [pytest.mark.usefixtures("slurm"), pytest.mark.needs("torch", "trl")]
GIVEN = ["data_path=rows.jsonl", "launcher=slurm", "effective_batch_size=4", "max_steps=1", "recipe.bf16=false"]


@pytest.mark.parametrize("words", [["wait=true"], ["-m", "seed=1,2"]], ids=["a job", "an array"])
def test_nothing_of_a_job_holds_a_secret(tiny: Path, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(conversation(number))}\n" for number in range(4)))
    done = hub(*words, f"model_path={tiny}", *GIVEN, "output_dir=out", cwd=tmp_path, **SECRETS)
    assert done.returncode == 0, done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    files = [each for each in (tmp_path / "out").rglob("*") if each.is_file()]
    assert any(each.suffix == ".sh" or "sbatch" in each.read_text(errors="replace") for each in files)
    assert len(files) > 10
    assert [each for each in files if b"CANARY" in each.read_bytes()] == []
    shown = hub("status", "out", cwd=tmp_path, **SECRETS).stdout + hub("logs", "out", cwd=tmp_path, **SECRETS).stdout
    assert shown
    assert "CANARY" not in shown


@pytest.mark.parametrize("setting", ["launcher.job_name", "launcher.setup", "account", "partition"])
def test_a_secret_in_a_jobs_script_is_refused_unseen(tiny: Path, tmp_path: Path, setting: str) -> None:
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(conversation(0))}\n")
    secret = SECRETS["HF_TOKEN"]
    value = f"['export X={secret}']" if setting == "launcher.setup" else secret
    done = hub(f"{setting}={value}", f"model_path={tiny}", *GIVEN, "output_dir=out", cwd=tmp_path, **SECRETS)
    assert done.returncode == 2
    assert "***" in done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()
