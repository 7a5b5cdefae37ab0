"""A SLURM of the tests' own: four nodes on this machine, with eight GPUs each that are names alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training_hub import cluster
from training_hub.launchers.slurm import check
from training_hub.run import RunDir

SCRIPTS = Path(__file__).parents[3] / "shared" / "slurm"
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster that is up as long as the tests run."""
    missing = [name for name in DAEMONS if not shutil.which(name)]
    if missing or not (SCRIPTS / "slurm_up.sh").exists():
        pytest.skip(f"no SLURM can be started here: {', '.join(missing) or SCRIPTS} is missing")
    root = tmp_path_factory.mktemp("slurm")
    base = 12000 + os.getpid() % 1500 * 10  # this process's own, whoever else tests on this machine
    ports = {"CTLD_PORT": str(base), "D_PORT": str(base + 1)}
    env = {**os.environ, **ports, "ROOT": str(root), "NODES": "4", "GPUS": "8", "CPUS": "4"}
    subprocess.run([SCRIPTS / "slurm_up.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
    os.environ["SLURM_CONF"] = str(root / "etc" / "slurm.conf")
    for remembered in (check._partitions, check._known_options, check._is_this_machine, check._refusal):
        remembered.cache_clear()
    yield
    subprocess.run([SCRIPTS / "slurm_down.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
    del os.environ["SLURM_CONF"]


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def job_of(run: RunDir) -> cluster.Job:
    """The job of a run as SLURM has it."""
    number = run.read_job()
    assert number is not None
    return cluster.jobs([number])[number]


def hub(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m training_hub ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "training_hub", *words],
        cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
