"""A sweep over the learning rate from Python, and its best run.

python examples/sweep.py [SETTING ...]        for example model_path=MODEL

The same on the command line:

    python -m training_hub -m experiment=quickstart lr=1e-4,3e-4,1e-3 output_dir=outputs/sweep
"""

import csv
import sys
from pathlib import Path

from training_hub.cli import main

FOLDER = Path("outputs/sweep")

# resume=auto: typed again, the script goes on with what has not been completed
sweep = ["experiment=quickstart", "lr=1e-4,3e-4,1e-3", f"output_dir={FOLDER}", "resume=auto", *sys.argv[1:]]
status = main(["-m", *sweep])
with (FOLDER / "results.csv").open() as file:
    runs = [run for run in csv.DictReader(file) if run["status"] == "completed"]
best = min(runs, key=lambda run: float(run["eval_loss"]))
print(f"the best: lr={best['lr']}, held-out loss {float(best['eval_loss']):.3f}, in {best['path']}")
sys.exit(status)
