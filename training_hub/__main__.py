"""`python -m training_hub`, and the console script `training-hub`."""

from __future__ import annotations

import gc
import sys

from training_hub.cli import main

# What a config is made of lives to the end of the command: looking through it for cycles, as Python does after every
# 700 new objects, took a sixth of the time.
gc.set_threshold(1_000_000)

if __name__ == "__main__":
    sys.exit(main())
