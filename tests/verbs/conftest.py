"""A front's test runs in a folder with a model and rows, whatever the machine and its environment are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import folder  # noqa: F401  a fixture
from training_hub.launchers import torchrun
from training_hub.run import RunDir, TrainResult

WriteRun = Callable[..., RunDir]


@pytest.fixture(autouse=True)
def here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `model/` and `rows.jsonl`; no GPU is visible, and no torchrun surrounds the test."""
    place: Path = request.getfixturevalue("folder")
    monkeypatch.chdir(place)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for name in ("OMP_NUM_THREADS", *torchrun.INHERITED):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.fixture
def write_run() -> WriteRun:
    """A function that writes the folder of a completed run, as the front and a worker do."""

    def write(
        path: str | Path,
        config: dict[str, Any] | None = None,
        rows: int = 10,
        last: float = 1.0,
        held_out: bool = True,
        **manifest: Any,
    ) -> RunDir:
        run = RunDir(path)
        run.path.mkdir(parents=True)
        config = {"lr": 0.1, "output_dir": str(path), **(config or {})}
        run.create(config, [], {"status": "completed", "algorithm": "sft", "backend": "trl", **manifest})
        for step in range(1, rows + 1):
            counts: dict[str, float] = {
                "tokens": 100 * step,
                "samples": 4 * step,
                "seconds": 0.5 * step,
                "epoch": step / rows,
            }
            loss = last + 3 * (rows - step) / rows
            run.append_metrics(step=step, loss=loss, lr=0.1, grad_norm=1.0, tokens_per_second=200.0, **counts)
        if rows and held_out:
            run.append_metrics(step=rows, eval_loss=last + 0.5)
        ended = {"final_loss": last, **({"eval_loss_after": last + 0.5} if held_out else {})}
        if rows:
            run.write_result(TrainResult("completed", str(run.path), metrics=ended, duration_s=0.5 * rows))
        return run

    return write
