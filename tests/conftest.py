"""What the markers of pyproject.toml mean: a test is skipped, with the reason, where it cannot run."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from tests.workers.conftest import tiny  # noqa: F401  a fixture for every folder


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
