"""What a cluster that keeps accounts still knows of a job that its controller has forgotten."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.conftest import boot, submit, wait_for
from tests.slurm.test_jobs import Make, make, started  # noqa: F401  a fixture
from training_hub.launchers.slurm import cluster
from training_hub.results.state import state
from training_hub.run import RunDir

DAEMONS = ("slurmdbd", "mariadbd", "mariadb-install-db")


@pytest.fixture(scope="module")
def root(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a cluster with accounting."""
    if missing := [name for name in DAEMONS if not shutil.which(name)]:
        pytest.skip(f"no accounting can be started here: {missing[0]} is missing")
    with boot(tmp_path_factory.mktemp("accounted"), 19000, NODES="1", ACCT="1") as root:
        yield root


def forget(root: Path) -> None:
    """The controller ends, and another one begins without what it knew."""
    pids = (root / "run" / "pids").read_text()
    [number] = [line.split()[1] for line in pids.splitlines() if line.startswith("slurmctld ")]
    os.kill(int(number), signal.SIGTERM)
    wait_for(lambda: subprocess.run(["squeue"], capture_output=True, check=False).returncode)
    begin = f"slurmctld -D -c >> {root}/log/slurmctld.out 2>&1 & echo $!"
    another = subprocess.run(["sh", "-c", begin], capture_output=True, text=True, check=True).stdout.strip()
    (root / "run" / "pids").write_text(pids.replace(f"slurmctld {number}", f"slurmctld {another}"))
    wait_for(lambda: subprocess.run(["squeue"], capture_output=True, check=False).returncode == 0)


def test_the_accounts_tell_what_the_controller_has_forgotten(
    make: Make,  # noqa: F811
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, job = started(make("ended", 3))
    held = make("held", sbatch={"hold": True})
    [waiting] = submit([held], RunDir(held.run_dir).submitted)
    subprocess.run(["scancel", waiting], check=True)
    states = {job: "completed", waiting: "cancelled"}
    wait_for(lambda: {each.id: each.word for each in cluster._accounts([*states])} == states)
    forget(root)
    assert {name: each.word for name, each in cluster.jobs([*states]).items()} == states
    assert (state(ended).word, state(RunDir(held.run_dir)).word) == ("completed", "cancelled")
    (root / "without sacct").mkdir()
    for name in ("squeue", "scontrol"):
        (root / "without sacct" / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(root / "without sacct"))
    assert (state(ended).word, state(RunDir(held.run_dir)).word) == ("completed", "lost")
