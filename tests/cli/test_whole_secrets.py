"""Secrets around a run, and a network that is watched: no file and no word has the first, nothing asks the second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.conftest import conversation

pytestmark = [pytest.mark.slow, pytest.mark.needs("trl", "wandb", "mlflow", "trackio", "tensorboard")]
GUARD = Path(__file__).parent / "no_network"
SECRETS = {
    "HF_TOKEN": "hf_CANARYabcdefghijklmnop12345", "OPENAI_KEY": "CANARYopen1", "HF_TOKEN_2": "CANARYtok2",
    "GITHUB_PAT": "CANARYpat3", "DATABASE_URL": "postgresql://u:CANARYdb4@h/x", "DB_PWD": "CANARY5",
    "AUTH": "CANARYauth6", "AWS_SECRET_ACCESS_KEY": "CANARYaws7", "GPG_PASSPHRASE": "CANARY pass 8",
    "WANDB_API_KEY": "CANARY" + "9" * 34,
}  # fmt: skip
LOGGERS = ["logger=[jsonl,tensorboard,wandb,mlflow,trackio]", "logger.wandb.mode=offline"]


def test_nothing_of_a_run_holds_a_secret_or_tells_anybody(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for words in (["init", "-q"], ["remote", "add", "origin", "https://x:CANARYremote@github.com/a/b"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(conversation(number))}\n" for number in range(4)))
    path = os.pathsep.join([str(GUARD), str(Path(__file__).parents[2])])
    env = {**os.environ, **SECRETS, "PYTHONPATH": path, "NETWORK_LOG": str(tmp_path / "network")}
    env |= {"TRACKIO_DIR": str(folder / "trackio"), "XDG_CACHE_HOME": str(folder / "cache")}

    def typed(*words: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "training_hub", *words]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)

    run = [f"model_path={tiny}", "data_path=rows.jsonl", "effective_batch_size=4", "max_steps=1", "recipe.bf16=false"]
    done = [
        typed(*run, *LOGGERS, "output_dir=run"),
        typed("-m", *run, "lr=1e-4,1e-3", "output_dir=sweep"),
        typed("report", "run", "sweep", "output_path=report.html"),
        typed("export", "run", "output_dir=exported"),
        typed(*run, "output_dir=bad", "recipe.run_name=CANARYtok2", "--debug"),
    ]
    assert [each.returncode for each in done] == [0, 0, 0, 0, 2], [each.stderr[-300:] for each in done]
    assert [each for each in done if b"CANARY" in each.stdout + each.stderr] == []
    files = [each for each in folder.rglob("*") if each.is_file() and ".git" not in each.parts]
    assert len(files) > 30
    assert [each for each in files if b"CANARY" in each.read_bytes()] == []
    assert not (tmp_path / "network").exists()
