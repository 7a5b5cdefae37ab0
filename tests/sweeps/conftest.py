"""Sweeps over runs whose worker is a few lines of shell: the queue, the files and the table are the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import TURNS
from training_hub import train
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.expand import read
from training_hub.sweeps.plan import Planner


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The least that a run needs."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps({'messages': TURNS})}\n" * 3)
    return [f"model_path={tmp_path}/model", f"data_path={tmp_path}/rows.jsonl"]


class Sweep:
    """A sweep whose jobs are known; each run is a shell script that sees its folder as $1."""

    def __init__(self, directory: SweepDir, overrides: list[str], script: Callable[[Job], str]) -> None:
        asked = read(overrides)
        self.directory, self.script = directory, script
        self.planner = Planner(asked.swept)
        self.jobs = self.planner.jobs(asked.jobs())

    def plan(self, job: Job) -> train.Plan:
        planned = self.planner.plan(job, self.directory.path)
        command = self.command(job, planned.spec.run_dir)
        return replace(planned, spec=replace(planned.spec, commands=(command,)))

    def command(self, job: Job, run_dir: str) -> tuple[str, ...]:
        return ("sh", "-c", self.script(job), "sh", run_dir)


def ends(loss: float = 1.0, status: str = "completed") -> str:
    """A script that ends with a result."""
    result = {"status": status, "run_dir": "", "metrics": {"final_loss": loss, "steps": 1}, "duration_s": 1.0}
    return f"echo '{json.dumps(result)}' > $1/result.json"
