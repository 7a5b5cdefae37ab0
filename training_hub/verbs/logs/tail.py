"""`logs`: the end of a run's log, and with `-f` what is added to it until the run has ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from training_hub import jobs
from training_hub.results.state import State, states
from training_hub.run import RunDir
from training_hub.stored import there
from training_hub.terminal import readable, say
from training_hub.verbs.status.states import chosen, shown_name

_TICK_S = 0.5
_ASK_EVERY_S = 5.0


def logs(words: Sequence[str], lines: int, follow: bool) -> None:
    """Print the last lines of each run's log; without a folder, of the newest run."""
    runs = chosen(words, "logs")
    runs = runs if words else runs[-1:]
    places = {run.path: run.log_size() for run in runs}
    for run in runs:
        say("\n".join(filter(None, [_title(run, runs), _tail(run, lines)])))
    if follow:
        _follow(runs, [places[run.path] for run in runs])


def _tail(run: RunDir, lines: int) -> str:
    if there(run.log) and not run.log.is_file():
        return f"{run.log}: damaged, it is not a file"
    return run.log_tail(lines) or "\n".join(readable(jobs.log(run)).splitlines()[-lines:] if lines else [])


def _follow(runs: Sequence[RunDir], places: list[int]) -> None:
    last = -1
    asked, found = 0.0, states(runs)
    while True:
        for index, run in enumerate(runs):
            text, places[index] = _added(run, places[index])
            if text:
                say("\n".join(([_title(run, runs)] if index != last and len(runs) > 1 else []) + [text]))
                last = index
        if not any(each.may_go_on for each in found):
            break
        time.sleep(_TICK_S)
        if time.monotonic() - asked > _ASK_EVERY_S:
            asked, found = time.monotonic(), states(runs)
    for run, each in zip(runs, found, strict=True):
        say(f"{shown_name(run)}: {_ended(each)}")


def _added(run: RunDir, place: int) -> tuple[str, int]:
    """The whole lines that were added after a place, and the place after them."""
    if not run.log.is_file():
        return "", place
    with run.log.open("rb") as file:
        file.seek(place)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    return readable(whole.decode(errors="replace")).rstrip("\n"), place + len(whole)


def _title(run: RunDir, runs: Sequence[RunDir]) -> str:
    return f"==> {shown_name(run)}" if len(runs) > 1 else ""


def _ended(found: State) -> str:
    return found.word + (f": {found.reason}" if found.reason else "")
