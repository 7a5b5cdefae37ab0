"""The scripts and the notebook of examples/, each as it is, with a tiny model."""

from __future__ import annotations

import csv
import runpy
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from training_hub import worker
from training_hub.launchers import local
from training_hub.run import RunDir, RunSpec

EXAMPLES = Path(__file__).parent.parent / "examples"
QUICK = Path(__file__).parent / "sweeps" / "quick"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("torch", "transformers", "trl"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by TRL
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The top of a checkout, as the scripts see it."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def worker_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs in this process, which has torch by now; other tests run it in one of its own."""

    def run(command: Sequence[str], spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int:
        each_tick()
        return worker.main(str(run.path))

    monkeypatch.setattr(local, "_run", run)


@pytest.mark.parametrize("name", ["sft", "lora_sft", "osft", "dpo", "compare"])
def test_a_script_trains(
    name: str,
    here: Path,
    tiny: Path,
    worker_inside: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(tiny)])
    results = runpy.run_path(f"examples/{name}.py")
    for result in results["results"].values() if name == "compare" else [results["result"]]:
        assert result.status == "completed"
        assert result.metrics["steps"] >= 8
        assert list(Path(result.checkpoint_path).glob("*.safetensors"))
    assert capsys.readouterr().out.splitlines()[-1]


def test_the_sweep_finds_its_best_run(
    here: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With real processes, whose worker learns nothing: its loss is a function of lr."""
    monkeypatch.setenv("PYTHONPATH", str(QUICK))
    settings = [f"model_path={tiny}", "backend.worker=quick_worker.train", "max_steps=2", "jobs=2"]
    monkeypatch.setattr(sys, "argv", ["sweep.py", *settings])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path("examples/sweep.py")
    assert ended.value.code == 0
    with Path("outputs/sweep/results.csv").open() as file:
        assert [run["status"] for run in csv.DictReader(file)] == ["completed"] * 3
    assert capsys.readouterr().out.splitlines()[-1].startswith("the best: lr=0.001, held-out loss 0.000")


@pytest.mark.needs("nbclient", "ipykernel")
def test_the_notebook_runs_from_top_to_bottom(here: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "first_steps.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)  # stripped, as it lies in git
    monkeypatch.setenv("MODEL", str(tiny))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    NotebookClient(notebook, timeout=250, resources={"metadata": {"path": str(here / "examples")}}).execute()
    printed = "".join(output.get("text", "") for cell in code for output in cell.outputs)
    assert "num_epochs=0: must be greater than 0" in printed
    assert "completed" in printed
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert (here / "outputs" / "sft").is_dir()
