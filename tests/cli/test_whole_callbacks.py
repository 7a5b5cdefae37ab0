"""A callback of the user's over two processes, and a logger, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.conftest import conversation
from training_hub.run import RunDir

GATE = """\
import atexit, os
from pathlib import Path
from transformers import TrainerCallback
from training_hub import TrainingHubCallback


class Gate(TrainingHubCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_log(self, context):
        if context.step == self.step:
            context.control.should_training_stop = context.control.should_save = True
            context.control.reason = "enough"


def tell_threads():
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    Path(f"threads-{os.environ['RANK']}").write_text("\\n".join(names))


class Threads(TrainerCallback):
    def on_train_end(self, args, state, control, **_):
        tell_threads()
        assert "pt_gloo_runloop" in Path(f"threads-{os.environ['RANK']}").read_text()
        atexit.register(tell_threads)
"""
SETTINGS = """\
data_path=rows.jsonl output_dir=run effective_batch_size=4 max_seq_len=128 nproc_per_node=2 num_epochs=4 lr=1e-3
callbacks.gate._target_=hub_test_gate.Gate callbacks.gate.step=3 tensorboard_log_dir=curves
callbacks.threads._target_=hub_test_gate.Threads
"""


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "trl", "tensorboard")
def test_what_rank_0_asks_for_is_done_by_all_and_their_group_is_gone_at_exit(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "hub_test_gate.py").write_text(GATE)
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(conversation(number))}\n" for number in range(16)))
    command = [sys.executable, "-m", "training_hub", f"model_path={tiny}", *SETTINGS.split()]
    env = os.environ | {"TRAINING_HUB_TARGETS": "hub_test_gate", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + (tmp_path / "run" / "train.log").read_text()
    result = RunDir(tmp_path / "run").read_result()
    assert result is not None
    assert (result.status, result.metrics["steps"], result.warnings) == ("completed", 3, [])
    assert result.stopped == "callbacks.gate: enough"
    assert (tmp_path / "run" / "checkpoints" / "checkpoint-3").is_dir()
    assert list((tmp_path / "curves").glob("events.out.tfevents.*"))
    for rank in range(2):  # such a thread aborts the process when it wants an interpreter that is ending
        assert "gloo" not in (tmp_path / f"threads-{rank}").read_text()
