"""A worker that counts, a step each 50 ms, and saves when it is asked to stop: `python counting.py RUN STEPS`."""

from __future__ import annotations

import os
import sys
import time

from training_hub.run import RunDir, TrainResult


def main(run_dir: str, steps: str) -> int:
    run = RunDir(run_dir)
    checkpoint = run.checkpoints / "step"
    step = int(checkpoint.read_text()) if checkpoint.exists() else 0
    print(f"begins after step {step}; {os.environ.get('CUDA_VISIBLE_DEVICES')=}", flush=True)
    while step < int(steps):
        time.sleep(0.05)
        step += 1
        run.append_metrics(step=step, loss=1 / step)
        if run.stop_requested():
            checkpoint.write_text(str(step))
            run.write_result(TrainResult("interrupted", str(run.path), str(checkpoint)))
            return 75
    run.write_result(TrainResult("completed", str(run.path), metrics={"steps": step}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
