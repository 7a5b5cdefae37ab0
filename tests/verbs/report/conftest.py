"""Runs to report on, written as a front and a worker write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verbs.conftest import WriteRun
from training_hub.sweep_dir import Job, SweepDir

HOSTILE = "<img src=x onerror=alert(1)></script><b>"  # whatever a user or a model writes
VERSIONS = {"torch": "2.13.0", "trl": None}


@pytest.fixture
def swept(write_run: WriteRun) -> SweepDir:
    """A sweep of twelve runs, the fourth the best; one has failed, and one has not begun."""
    sweep = SweepDir("swept")
    sweep.path.mkdir()
    pairs = [(lr, seed) for lr in ("0.1", "0.01", "0.001", "0.0001") for seed in ("1", "2", "3")]
    jobs = [Job(f"{n}", f"lr={lr},seed={seed}-{n}", (), {"lr": lr, "seed": seed}) for n, (lr, seed) in enumerate(pairs)]
    sweep.write(jobs, status="running")
    for number, job in enumerate(jobs[:-1]):
        config = {"lr": float(job.swept["lr"]), "seed": int(job.swept["seed"])}
        write_run(sweep.run_of(job).path, config, last=1 + 0.1 * abs(number - 3), versions=VERSIONS)
    failed = sweep.run_of(jobs[0])
    result = failed.read_result()
    assert result is not None
    result.status, result.error = "failed", "loss=nan: not a number at step 10; lower lr"
    failed.write_result(result)
    return sweep


@pytest.fixture
def hostile(write_run: WriteRun) -> Path:
    """A run whose settings, prompts, answers and versions are made to break out of the page."""
    run = write_run("hostile", {"note": HOSTILE}, versions={"torch": HOSTILE}, command=HOSTILE)
    run.append_sample("before", HOSTILE, "")
    run.append_sample("after", HOSTILE, f"{HOSTILE}\n{{{{ 7 * 6 }}}}")
    return run.path
