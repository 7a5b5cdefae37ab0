"""`cancel`: ask runs to save and stop, or end them at once, from their directories alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from training_hub import jobs
from training_hub.errors import ConfigError
from training_hub.machine import processes
from training_hub.results.state import State, states
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir
from training_hub.verbs.status.states import chosen, shown_name


def cancel(words: Sequence[str], now: bool) -> list[str]:
    """A line for each run that goes on. now: do not wait for it to save. ConfigError where none goes on."""
    if not words:
        raise ConfigError("cancel: says nothing of what to cancel; add the folder of a run or of a sweep")
    runs = chosen(words, "cancel")
    for sweep in (each for each in map(SweepDir, words) if each.exists()):
        with _asking(sweep.stop):
            sweep.stop.touch()  # it starts no more of them
    found = list(zip(runs, states(runs), strict=True))
    going = [(run, each) for run, each in found if each.may_go_on]
    if not going:
        why = f"it is {found[0][1].word}" if len(runs) == 1 else f"all {len(runs)} runs have ended"
        raise ConfigError(f"{' '.join(words)}: nothing to cancel: {why}")
    ended = [run for run, each in going if run.read_job() and (now or each.word == "pending")]
    jobs.cancel(ended)
    return [f"{shown_name(run)}: {_cancelled(run, each, now, ended)}" for run, each in going]


def _cancelled(run: RunDir, found: State, now: bool, ended: Sequence[RunDir]) -> str:
    job = run.read_job()
    if job and run in ended:
        return f"job {job.id} is cancelled"
    with _asking(run.stop):
        run.request_stop()
    if not now:
        return "asked to save and stop after this step"
    host = (run.read_manifest().get("machine") or {}).get("host")
    if host != socket.gethostname():
        return f"asked to save and stop; to end it at once, do this on {host}"
    return _end(run)


@contextmanager
def _asking(file: Path) -> Iterator[None]:
    """ConfigError where the request cannot be left."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror}); remove what is there") from None


def _end(run: RunDir) -> str:
    """Kill the workers. The process that launched them sees it and writes the result; it may have other runs."""
    front = (run.read_manifest().get("machine") or {}).get("process")
    workers = [number for number in processes.holders(run.lock) if number != front]
    for number in workers:
        with suppress(OSError):  # it has just ended
            if mark := processes.mark_of(Path("/proc", str(number))):
                processes.kill_marked(mark)
    return "ended at once" if workers else "asked to stop; its workers have not begun"
