"""Start a library's script under torchrun, and stop it when that is asked for."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from training_hub.machine.processes import end_with
from training_hub.run import RunDir

_TICK_S = 0.2
_GRACE_S = 60.0  # torchrun itself gives its processes 30


class Ended(NamedTuple):
    """How a script ended. asked: whether it was asked to; status: its exit status."""

    asked: bool
    status: int


class Script:
    """A script and its processes.

    on_demand: it saves and ends when its trigger file appears. Else it is terminated: what it saved before stays.
    """

    def __init__(self, run: RunDir, command: Sequence[str], env: Mapping[str, str], on_demand: bool) -> None:
        self._run, self._command, self._on_demand = run, command, on_demand
        # One file per machine would be the libraries' default: a stopped run would stop all others there.
        self.trigger = Path("/dev/shm") / trigger_name(run)
        self._env = {**env, "CHECKPOINT_TRIGGER_FILENAME": self.trigger.name}
        self._asked = False

    def follow(self, each_tick: Callable[[], None]) -> Ended:
        """Run to the end. SIGTERM, SIGINT and the run's stop file end it early. Raises what each_tick raises."""
        self.trigger.unlink(missing_ok=True)
        kept = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        # A session of its own: who kills the worker's session leaves torchrun to end its processes.
        process = subprocess.Popen(
            self._command, env=self._env, start_new_session=True,
            preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  one system call, which takes no lock
        )  # fmt: skip
        try:
            return self._wait(process, each_tick)
        finally:
            _end(process)
            self.trigger.unlink(missing_ok=True)
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        print(f"{signal.Signals(number).name}: stopping", flush=True)
        self._asked = True

    def _wait(self, process: subprocess.Popen[bytes], each_tick: Callable[[], None]) -> Ended:
        told = False
        while process.poll() is None:
            time.sleep(_TICK_S)
            each_tick()
            if not told and (self._asked or self._run.stop_requested()):
                told = True
                self._stop(process)
        each_tick()
        return Ended(told, process.returncode)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        if self._on_demand:
            self.trigger.touch()
        else:
            process.terminate()


def machine(command: Sequence[str]) -> int:
    """The number of this machine, from 0, as torchrun's command has it."""
    return next((int(word.partition("=")[2]) for word in command if word.startswith("--node-rank=")), 0)


def trigger_name(run: RunDir) -> str:
    """The name of the file that asks this run's script, and no other one's, to save and end."""
    return f"training_hub_{hashlib.sha256(str(run.path.absolute()).encode()).hexdigest()[:16]}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind: torchrun ends its processes when it is terminated, not when it is killed."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        process.kill()
        process.wait()
