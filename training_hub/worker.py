"""One worker process: reads the run directory, trains, writes the result. `python -m training_hub.worker RUN_DIR`.

`... RUN_DIR COMMAND` where the backend trains with a script of its library's, which the worker starts by COMMAND.

It may run under another interpreter than the one that submitted the run, so it imports the standard library, PyYAML
and what the backend's worker imports, nothing else.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from training_hub import telemetry, user
from training_hub.data import notes
from training_hub.errors import EXIT_INTERRUPTED, HubError, printable
from training_hub.installed import trust
from training_hub.installed.locate import find_function
from training_hub.machine.processes import end_with
from training_hub.redaction import redacted
from training_hub.run import RunDir, TrainResult
from training_hub.workers.loggers.beside import Loggers
from training_hub.workers.script.process import machine

_PICKLED = (
    "a pickled file, of the model or of the checkpoint, holds more than tensors: reading it would run its code, so "
    "it is not read; start from a model in safetensors, or from another checkpoint"
)


def main(run_dir: str, *command: str) -> int:
    """Train one run; returns the exit status: 0, 1 where it failed, 2 for a wrong setting, 75 where it was stopped."""
    one_of_several = "TORCHELASTIC_RUN_ID" in os.environ
    if one_of_several:  # without torchrun nobody would end it
        end_with(os.getppid(), signal.SIGKILL)
    telemetry.switch_off(os.environ)  # before any library is imported
    user.complete(os.environ)
    run = RunDir(run_dir)
    config = run.read_config()
    if run.is_own():  # as the front has written it: what it names was decided then
        trust.allow_config(config)
    started = time.monotonic()
    loggers = Loggers(run, config if _is_first(command) else {})
    try:
        outcome = find_function(str(config["backend"]["worker"]), 2 + len(command))(run, config, *command)
    except Exception as error:
        said = _PICKLED if _is_pickle(error) else redacted(traceback.format_exc())
        print(said.rstrip(), file=sys.stderr, flush=True)
        exit_status = error.exit_status if isinstance(error, HubError) else 1
        message = str(error) if isinstance(error, HubError) else _line(error)
        failed = TrainResult("failed", str(run.path), duration_s=time.monotonic() - started, error=message)
        # torchrun's own status would be 1 whatever ours is
        _write(run, command, failed, loggers, exit_status=exit_status)
        return exit_status
    if one_of_several:  # what still holds their group goes now: its threads abort where they find Python ending
        gc.collect()
    status = str(outcome["status"])
    result = TrainResult(
        status,
        str(run.path),
        outcome["checkpoint_path"],
        outcome["metrics"],
        time.monotonic() - started,
        best_checkpoint_path=outcome.get("best_checkpoint_path"),
        stopped=outcome.get("stopped"),
        warnings=outcome.get("warnings", []),
    )
    _write(run, command, result, loggers)
    # torchrun would take the status for a failure, and end the processes that still save.
    return EXIT_INTERRUPTED if status == "interrupted" and not one_of_several else 0


def _line(error: Exception) -> str:
    """What went wrong, as one line of result.json; the traceback is in the run's log."""
    lines = str(error).strip().splitlines() or [""]
    return _PICKLED if _is_pickle(error) else printable(redacted(f"{type(error).__name__}: {lines[0]}"))


def _is_pickle(error: BaseException | None) -> bool:
    """Whether torch refused to run what a file holds; its own message says how to run it all the same."""
    return error is not None and (
        isinstance(error, pickle.UnpicklingError) or "weights_only" in str(error) or _is_pickle(error.__cause__)
    )


def _is_first(command: Sequence[str]) -> bool:
    """Whether this worker is the one that speaks for all: rank 0, or on the first machine that of a script."""
    return machine(command) == 0 if command else os.environ.get("RANK", "0") == "0"


def _write(run: RunDir, command: Sequence[str], result: TrainResult, loggers: Loggers, **entries: Any) -> None:
    """The first speaks for all; one that fails alone speaks where the first has not."""
    if _is_first(command) or (result.status == "failed" and not run.result.exists()):
        run.update_manifest(status=result.status, ended=time.strftime("%Y-%m-%dT%H:%M:%S%z"), **entries)
        result.warnings += notes.warnings(run.read_manifest().get("data") or {}) + loggers.end(result)
        for text in result.warnings:
            print(f"warning: {text}", flush=True)
        run.write_result(result)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
