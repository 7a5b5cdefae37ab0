"""Runs whose output goes nowhere: what counts is the run's own log, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.conftest import conversation
from training_hub.run import RunDir

pytestmark = pytest.mark.needs("trl")


@pytest.fixture
def command(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A short run, for a shell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    Path("rows.jsonl").write_text("".join(f"{json.dumps(conversation(number))}\n" for number in range(4)))
    words = "effective_batch_size=4 max_steps=1 recipe.bf16=false output_dir=run data.cache_dir=c"
    settings = f"data_path=rows.jsonl {words}"
    return f"{sys.executable} -m training_hub model_path={tiny} {settings}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [">&- 2>&- <&-", "> /dev/full 2> /dev/full", "2>&1 | true", "| head -c 1"],
    ids=["closed", "full", "gone", "going"],
)
def test_a_run_does_not_need_its_output(command: str, where: str) -> None:
    done = subprocess.run(["bash", "-c", f"{command} {where}; exit ${{PIPESTATUS[0]}}"], check=False)
    result = RunDir("run").read_result()
    assert (done.returncode, result and result.status) == (0, "completed")
    assert RunDir("run").log_size() > 0


@pytest.mark.parametrize(("where", "status"), [("> /dev/full", 1), ("| true", 0), (">&-", 0)])
def test_a_verb_whose_words_are_lost_says_so(command: str, where: str, status: int) -> None:
    words = command.replace("-m training_hub", "-m training_hub plan")
    done = subprocess.run(
        ["bash", "-c", f"{words} {where}; exit ${{PIPESTATUS[0]}}"], check=False, capture_output=True, text=True
    )
    said = "standard output: No space left on device; give it another file\n"
    assert (done.returncode, done.stderr) == (status, said if status else "")


def test_an_output_of_ascii_alone_is_enough(command: str) -> None:
    words = command.replace("-m training_hub", "-m training_hub plan").replace("output_dir=run", "output_dir='\"rün\"'")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LANG": "C"}
    done = subprocess.run(["bash", "-c", words], check=True, capture_output=True, env=env)
    assert b"r\\xfcn" in done.stdout


def test_rows_that_would_command_a_terminal_are_shown_harmlessly(command: str) -> None:
    turns = [{"role": "user", "content": "\x1b]0;evil\x07"}, {"role": "assistant", "content": "one\x9b31m\u202e"}]
    Path("rows.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    words = command.replace("-m training_hub", "-m training_hub validate").split(" output_dir")[0] + " data.cache_dir=c"
    done = subprocess.run(["bash", "-c", words], check=True, capture_output=True, text=True)
    assert "\\x1b]0;evil\\x07" in done.stdout
    assert not set(done.stdout) & set("\x1b\x07\x9b\u202e")
