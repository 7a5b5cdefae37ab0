from __future__ import annotations

import subprocess
import sys

NOT_FOR_HELP = ("torch", "transformers", "numpy", "packaging.requirements")


def test_help_imports_nothing_that_only_a_run_needs():
    command = [sys.executable, "-X", "importtime", "-m", "training_hub", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "training_hub.params" in imported
    assert [name for name in NOT_FOR_HELP if name in imported] == []


def test_the_end_of_a_command_searches_no_garbage():
    last = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"  # what is registered first
    command = [sys.executable, "-c", f"{last}; import training_hub.__main__"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
