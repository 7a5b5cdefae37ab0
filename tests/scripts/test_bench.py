"""The benches start: what they import is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = sorted(path for path in (Path(__file__).parents[2] / "bench").glob("*.py") if "main()" in path.read_text())


@pytest.mark.parametrize("bench", BENCHES, ids=lambda path: path.stem)
def test_a_bench_says_what_it_takes(bench: Path) -> None:
    done = subprocess.run([sys.executable, bench, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
