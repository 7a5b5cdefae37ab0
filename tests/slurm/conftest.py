"""A SLURM of the tests' own: four nodes on this machine, with eight GPUs each that are names alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from training_hub.jobs import Job
from training_hub.launchers.slurm import check, cluster
from training_hub.launchers.slurm.launcher import SlurmLauncher
from training_hub.run import RunDir, RunSpec

SCRIPTS = Path(__file__).parents[3] / "shared" / "slurm"
LAUNCHER = "training_hub.launchers.slurm.launcher.SlurmLauncher"
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slurm)


@contextmanager
def boot(root: Path, first_port: int, **settings: str) -> Iterator[Path]:
    """A cluster that is up while the block lasts, whatever other one is; root: its folder, which the block gets."""
    base = first_port + os.getpid() % 700 * 10  # this process's own, whoever else tests on this machine
    ports = {"CTLD_PORT": str(base), "D_PORT": str(base + 1), "DBD_PORT": str(base + 8), "SQL_PORT": str(base + 9)}
    env = {**os.environ, **ports, "ROOT": str(root), "NODES": "4", "GPUS": "8", "CPUS": "4", **settings}
    subprocess.run([SCRIPTS / "slurm_up.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(root / "etc" / "slurm.conf")
    forget_answers()
    yield root
    subprocess.run([SCRIPTS / "slurm_down.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
    forget_answers()
    if before is None:
        del os.environ["SLURM_CONF"]
    else:
        os.environ["SLURM_CONF"] = before


def forget_answers() -> None:
    """What was asked of another cluster."""
    for remembered in (check._partitions, check._known_options, check._is_this_machine, check._refusal):
        remembered.cache_clear()


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster that is up as long as the tests run."""
    missing = [name for name in DAEMONS if not shutil.which(name)]
    if missing or not (SCRIPTS / "slurm_up.sh").exists():
        pytest.skip(f"no SLURM can be started here: {', '.join(missing) or SCRIPTS} is missing")
    with boot(tmp_path_factory.mktemp("slurm"), 12000):
        yield


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def job_of(run: RunDir) -> Job:
    """The job of a run as SLURM has it."""
    return cluster.jobs([number_of(run)])[number_of(run)]


def number_of(run: RunDir) -> str:
    """The number of a run's job."""
    name = run.read_job()
    assert name is not None
    assert name.launcher == LAUNCHER
    return name.id


def submit(specs: Sequence[RunSpec], folder: Path, at_a_time: int | None = None) -> list[str]:
    """Submit runs; returns the numbers of their jobs."""
    return SlurmLauncher.hand_over([replace(spec, launcher=LAUNCHER) for spec in specs], folder, at_a_time)


def hub(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m training_hub ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "training_hub", *words],
        cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
