"""A front's test runs in a folder with a model and rows, whatever the machine and its environment are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import folder  # noqa: F401  a fixture
from training_hub.launchers import torchrun


@pytest.fixture(autouse=True)
def here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `model/` and `rows.jsonl`; no GPU is visible, and no torchrun surrounds the test."""
    place: Path = request.getfixturevalue("folder")
    monkeypatch.chdir(place)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for name in ("OMP_NUM_THREADS", *torchrun.INHERITED):
        monkeypatch.delenv(name, raising=False)
    return place
