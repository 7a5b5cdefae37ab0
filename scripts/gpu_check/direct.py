"""The same training by the library alone, for the time that the project adds to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from training_hub.backends.script import ScriptBackend
from training_hub.config.choices import read_option
from training_hub.installed.locate import BACKEND, find_class
from training_hub.workers.mini_trainer import MiniTrainer

if TYPE_CHECKING:
    from cells import Cell, Settings

HERE = Path(__file__).resolve().parent
PLAIN = {"sft/trl": "plain_trl.py", "lora_sft/trl": "plain_trl.py", "lora_sft/unsloth": "plain_unsloth.py"}

# Plans a run, prepares its rows as a worker does, and prints the command of the library's script.
SCRIPT = """
import json, sys
from training_hub import train
from training_hub.data.prepare import prepare
from training_hub.run import RunDir
from training_hub.workers import tokenizer
from training_hub.workers.script import rows
plan = train.plan(train.composed(sys.argv[1:]))
run = RunDir(plan.spec.run_dir)
run.library.mkdir(parents=True)
rows.write(run, prepare(tokenizer.load(plan.config["model"]), plan.config["data"]))
[words] = plan.spec.commands
print(json.dumps(words[words.index(plan.spec.run_dir) + 1 :]))
"""


def alone(cell: Cell, settings: Settings, ours: list[str]) -> list[str]:
    """The command of the library alone, [] where there is no such thing. ours: the command line of the project.

    CalledProcessError where the rows for it cannot be prepared.
    """
    pair = f"{cell.algorithm}/{cell.backend}"
    if pair in PLAIN:
        python = settings.python(cell.backend) or sys.executable
        words = [settings.model, "rows.jsonl", "plain", settings.steps, settings.batch, 2 * settings.length]
        return [python, str(HERE / PLAIN[pair]), *map(str, words), cell.algorithm]
    if not issubclass(find_class(read_option("backend", cell.backend)["_target_"], BACKEND), ScriptBackend):
        return []
    words = ours[ours.index("training_hub") + 1 :]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], cwd=settings.folder, env=settings.environment(), text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    variables = [f"{name}={value}" for name, value in MiniTrainer.variables.items()]  # others do not know them
    return ["env", *variables, *json.loads(done.stdout.splitlines()[-1])]
