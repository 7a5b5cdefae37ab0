"""A sweep is a directory, with one run in each of its folders: this module alone knows the names of its files."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from training_hub import stored
from training_hub.ranking import BY_LOSS, Ranking, objective
from training_hub.run import RunDir, write_atomically

_DESCRIPTION = {
    "jobs": {str: {"name!": str, "overrides!": [str], "swept!": {str: str}}},
    "folder": str,
    "overrides": [str],
    "config_dirs": [str],
    "rank_by": str,
    "rank_mode": frozenset({"min", "max"}),
}
_NONE: Mapping[str, str] = MappingProxyType({})
COLUMNS = ("status", "final_loss", "eval_loss", "seconds", "error", "path")


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    digest: of its config, whatever folder it is written to. name: its folder. overrides: all of its settings. swept:
    of these, the ones that differ between jobs, name -> value.
    """

    digest: str
    name: str
    overrides: tuple[str, ...]
    swept: dict[str, str]

    @property
    def label(self) -> str:
        """What is its own: `lr=1e-05 seed=1`."""
        return " ".join(f"{key}={value}" for key, value in self.swept.items()) or self.name


def _began(description: Mapping[str, Any]) -> dict[str, str]:
    """What of a description brings the sweep about again."""
    return {"sweep": json.dumps([description.get(name) for name in ("overrides", "config_dirs", "folder")])}


class SweepDir:
    """The files of one sweep, by name."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.description = self.path / "sweep.json"
        self.results = self.path / "results.csv"
        self.conf = RunDir(self.path).conf  # options that did not come with the project, as when it began
        self.stop = RunDir(self.path).stop  # somebody asked for no further runs
        self.submitted = RunDir(self.path).submitted  # what the launcher keeps of its jobs

    def exists(self) -> bool:
        """Whether a sweep was ever started in this folder."""
        try:
            return stored.there(self.description) and "jobs" in self.read()
        except stored.Damaged:  # unless it is another program's
            return stored.there(self.results)

    def held(self) -> AbstractContextManager[bool]:
        """Make the folder, and keep other sweeps out while the block lasts; False where one is going on in it."""
        return RunDir(self.path).held()

    def write(self, jobs: Sequence[Job], options: Mapping[str, str] = _NONE, **entries: Any) -> None:
        """Write what the sweep is: entries, its jobs by the digests of their configs, and their options in `conf`."""
        RunDir(self.path).write_options(options)
        RunDir(self.path).seal(_began(entries))
        listed = {job.digest: {key: value for key, value in asdict(job).items() if key != "digest"} for job in jobs}
        write_atomically(self.description, json.dumps(entries | {"jobs": listed}, indent=1) + "\n")

    def is_own(self) -> bool:
        """Whether this user has written here all that the sweep would be started again from; see `RunDir.is_own`."""
        return RunDir(self.path).is_own(_began(self.read()))

    def update(self, **entries: Any) -> None:
        """Set top-level entries of the description; the file is replaced atomically."""
        write_atomically(self.description, json.dumps(self.read() | entries, indent=1) + "\n")

    def read(self) -> dict[str, Any]:
        """The description."""
        return dict(stored.read(self.description, _DESCRIPTION))

    def jobs(self) -> list[Job]:
        """The jobs, in the order in which they are started."""
        listed: dict[str, Any] = self.read().get("jobs") or {}
        if strange := [each["name"] for each in listed.values() if each["name"] != Path(each["name"]).name]:
            raise stored.Damaged(self.description, f"{strange[0]} is not the name of a folder in it")
        return [Job(digest, each["name"], tuple(each["overrides"]), each["swept"]) for digest, each in listed.items()]

    def ranking(self) -> Ranking:
        """How its runs are ranked; the default where there is no sweep yet."""
        known = self.read() if stored.there(self.description) else {}
        return Ranking(known.get("rank_by"), known.get("rank_mode") or "min")

    def run_of(self, job: Job) -> RunDir:
        """The run directory of a job, which need not exist yet."""
        return RunDir(self.path / job.name)

    def write_results(self, rows: Iterable[Mapping[str, Any]], ranking: Ranking = BY_LOSS) -> None:
        """Write the table: what differs between the runs, the metric that ranks them, then COLUMNS."""
        rows = list(rows)
        swept = dict.fromkeys(key for row in rows for key in row["swept"])
        further = [ranking.column] if ranking.column else []
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([*swept, *further, *COLUMNS])
        for row in rows:
            values = [objective(row, ranking) for _ in further]
            table.writerow([*(row["swept"].get(key) for key in swept), *values, *(row[key] for key in COLUMNS)])
        write_atomically(self.results, text.getvalue())


def outcome(run: RunDir) -> dict[str, Any]:
    """What came of a run, or is known of it so far: COLUMNS, and its final `metrics`; "pending" before it begins."""
    try:
        result = run.read_result() if run.path.exists() else None
        status = run.read_manifest().get("status", "pending") if run.path.exists() else "pending"
    except stored.Damaged as error:
        return dict.fromkeys(COLUMNS) | {"status": "damaged", "error": str(error), "path": str(run.path)}
    if result is None:
        # A manifest tells of an end before the result is there, and before an older run's end is forgotten.
        status = status if status in ("created", "pending") else "running"
        return dict.fromkeys(COLUMNS) | {"status": status, "path": str(run.path)}
    metrics = result.metrics
    return {
        "status": result.status,
        "final_loss": metrics.get("final_loss"),
        "eval_loss": metrics.get("eval_loss_after"),
        "seconds": round(result.duration_s, 1),
        "error": result.error,
        "path": str(run.path),
        "metrics": metrics,
    }
