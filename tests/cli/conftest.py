"""The real command line in a folder of its own, with a model and rows that the front takes for good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
NO_HEAVY_IMPORTS = str(Path(__file__).parent / "no_heavy_imports")
CHECKOUT = str(Path(__file__).parents[2])
TURNS = [{"role": "user", "content": "How many legs has a spider?"}, {"role": "assistant", "content": "Eight."}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with `model/`, `rows.jsonl` and `eval.jsonl`."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    for name in ("rows.jsonl", "eval.jsonl"):
        (tmp_path / name).write_text(f"{json.dumps({'messages': TURNS})}\n" * 3)
    return tmp_path


@pytest.fixture
def cli(folder: Path) -> Cli:
    """Run `python -m training_hub ...` in the folder; importing torch, numpy or the like makes it fail."""

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "training_hub", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{NO_HEAVY_IMPORTS}:{CHECKOUT}", "CUDA_VISIBLE_DEVICES": "", **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def good() -> list[str]:
    """The least that a run needs."""
    return ["model_path=model", "data_path=rows.jsonl"]
