"""`status`: how runs stand, from their directories alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training_hub.command_line.table import table
from training_hub.errors import ConfigError
from training_hub.results.progress import describe
from training_hub.results.state import State, last_row, runs_in, state, states
from training_hub.run import RunDir
from training_hub.stored import Damaged
from training_hub.sweep_dir import SweepDir

OUTPUTS = Path("outputs")
_NEWEST = 20


def chosen(words: Sequence[str], verb: str) -> list[RunDir]:
    """The runs in the folders that were typed; without any, those in `outputs/`. ConfigError where there are none."""
    found = []
    for folder in map(Path, words or [str(OUTPUTS)]):
        if not (runs := runs_in(folder)):
            raise ConfigError(f"{folder}: no run is there; {verb} takes the folder of a run or of a sweep")
        found += runs
    return found


def status(words: Sequence[str]) -> str:
    """A line for each run; a few more for a single one."""
    runs = chosen(words, "status")
    if len(runs) == 1 and not any(_not_begun(SweepDir(word)) for word in words):
        return "\n".join(_whole(runs[0], state(runs[0])))
    shown = runs if words else runs[-_NEWEST:]
    rows = [("run", "status", "step", "loss", "reason")]
    for run, each in zip(shown, states(shown), strict=True):
        rows.append((shown_name(run), each.word, *_numbers(run), each.reason))
    left_out = [f"({len(runs) - len(shown)} older ones are not shown)"] if len(shown) < len(runs) else []
    return "\n".join([*table(rows), *left_out, *filter(None, map(_not_begun, map(SweepDir, words)))])


def _not_begun(sweep: SweepDir) -> str:
    """How many runs of a sweep have no folder yet; "" where all have one, and for what is no sweep."""
    try:
        jobs = sweep.jobs() if sweep.exists() else []
    except Damaged as error:
        return str(error)
    waiting = sum(not sweep.run_of(job).exists() for job in jobs)
    return f"({waiting} of the sweep's {len(jobs)} runs have not begun)" if waiting else ""


def _whole(run: RunDir, found: State) -> list[str]:
    row = last_row(run)
    rows = [("run", str(run.path)), ("status", found.word + (f": {found.reason}" if found.reason else ""))]
    try:
        manifest, job = run.read_manifest(), run.read_job()
    except Damaged as error:
        return table([*rows, *([("damage", str(error))] if str(error) != found.reason else []), ("log", str(run.log))])
    rows += [("trains", f"{manifest.get('algorithm')} on {manifest.get('backend')}")]
    if row:
        rows.append(("step", f"{_numbers(run)[0]}  {describe(row)}"))
    if job:
        rows.append(("job", job.id))
    rows += [("began", str(manifest.get("created"))), ("log", str(run.log))]
    return table([*rows, *(("damage", text) for text in run.left_out())])


def _numbers(run: RunDir) -> tuple[str, str]:
    """`12/75` and `1.2345`, `-` where unknown."""
    row = last_row(run)
    try:
        total = run.read_manifest().get("total_steps")
    except Damaged:  # its state says so
        total = None
    step = "-" if not row else f"{row['step']}/{total}" if total else str(row["step"])
    return step, "-" if row.get("loss") is None else f"{row['loss']:.4f}"


def shown_name(run: RunDir) -> str:
    """A path as short as it can be from here."""
    return str(run.path.relative_to(Path.cwd())) if run.path.is_relative_to(Path.cwd()) else str(run.path)
