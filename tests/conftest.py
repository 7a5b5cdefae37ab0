"""What the markers of pyproject.toml mean: a test is skipped, with the reason, where it cannot run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.workers.conftest import tiny  # noqa: F401  a fixture for every folder
from training_hub.installed import trust

EXTENSION = Path(__file__).parent.parent / "examples" / "extension"


def pytest_configure() -> None:
    os.environ["TRAINING_HUB_TARGETS"] = "tests,quick_worker,small_worker"  # what tests bring along
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="training_hub_tests_")  # for the key that seals run folders
    # Where a shell runs the tests in its background, they ignore Ctrl-C, and so would every process that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def trust_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test allows is not allowed to the next one: grants last as long as the process."""
    for name in ("_allowed_packages", "_allowed_pythons", "_allowed_folders"):
        monkeypatch.setattr(trust, name, set(getattr(trust, name)))


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example of an extension is installed."""
    source, target = tmp_path_factory.mktemp("source") / "extension", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXTENSION, source)  # building writes beside the source
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(command, check=True)
    return target


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for package in marker.args:
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"the package {package} is not installed")
    if item.get_closest_marker("gpu") and not shutil.which("nvidia-smi"):
        pytest.skip("no CUDA GPU here")
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        pytest.skip("no Chromium here")
    if item.get_closest_marker("slurm") and not shutil.which("sbatch"):
        pytest.skip("no SLURM here")
