"""A worker's command as a process that leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from training_hub.machine.processes import MARK, end_with, kill_marked
from training_hub.machine.signals import deaf
from training_hub.run import RunDir, RunSpec


@contextmanager
def started(
    command: Sequence[str], spec: RunSpec, run: RunDir, last_word: int = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while the block lasts, its output in the run's log; then end all that it has started.

    last_word: the signal that it gets where this process dies.
    """
    mark = secrets.token_hex(16)
    with run.log.open("ab") as log:
        # A session of its own: a signal to this process's group, such as Ctrl-C, reaches this process alone.
        worker = subprocess.Popen(
            command, env={**environment(spec), MARK: mark}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
            pass_fds=[] if run.lock_handle is None else [run.lock_handle],  # held until the worker is gone too
            preexec_fn=partial(end_with, os.getpid(), last_word),  # noqa: PLW1509  one system call, which takes no lock
        )  # fmt: skip
    try:
        yield worker
    finally:
        with deaf():  # whoever presses Ctrl-C a third time wants nothing to be left behind either
            _end(worker, mark)


def environment(spec: RunSpec, default: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment for a run's commands. default: what the run and this process may have otherwise."""
    found = {**(default or {}), **os.environ, **spec.env}
    return {name: value for name, value in found.items() if name not in spec.dropped_env or name in spec.env}


def _end(worker: subprocess.Popen[bytes], mark: str) -> None:
    """Whatever the worker started and is still there is killed."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    kill_marked(mark)  # torchrun gives each of its processes a session of its own
