"""What is known of a sweep's runs, kept up to date on disk and on the screen."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from training_hub.ranking import Ranking, objective, unranked
from training_hub.results.plot import draw_losses
from training_hub.results.progress import duration
from training_hub.sweep_dir import Job, SweepDir, outcome
from training_hub.sweeps.screen import Screen
from training_hub.sweeps.table import table
from training_hub.terminal import say

_WRITE_EVERY_S = 2.0


class Board:
    """One row for each job: in results.csv while the sweep runs, and a line on standard output when one ends."""

    def __init__(self, directory: SweepDir, jobs: Sequence[Job]) -> None:
        self._directory, self._jobs = directory, {job.digest: job for job in jobs}
        self.ranking = directory.ranking()
        self.screen = Screen()
        self.rows = {job.digest: self._row(job) for job in jobs}
        self._over = {digest for digest, row in self.rows.items() if row["status"] == "completed"}
        self._written, self._stale = 0.0, True
        self.tick()

    def started(self, job: Job) -> None:
        """A job starts."""
        self._set(job, self._row(job) | {"status": "running"})

    def ended(self, job: Job, error: BaseException | None) -> None:
        """A job is over. error: why, where it is not sound."""
        row = self._row(job)
        if error is not None and row["status"] in ("pending", "created", "running"):
            row |= {"status": "failed", "error": str(error)}
        self._set(job, row)
        self._draw(job)
        self._over.add(job.digest)
        say(f"{len(self._over)}/{len(self.rows)}  {job.label}: {told(self.rows[job.digest], self.ranking)}")

    def _draw(self, job: Job) -> None:
        run = self._directory.run_of(job)
        with suppress(OSError, ValueError):  # the disk may be full, and the run is sound
            draw_losses(run.read_metrics(), run.loss_plot)

    def tick(self) -> None:
        """Show what goes on; write the table where it has changed, every few seconds."""
        going = [self._jobs[digest] for digest, row in self.rows.items() if row["status"] == "running"]
        self.screen.draw([(job.label, self._directory.run_of(job)) for job in going])
        if self._stale and time.monotonic() - self._written > _WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write the table; what cannot be written now, as on a full disk, is tried again."""
        self._written = time.monotonic()
        with suppress(OSError):
            self._directory.write_results(self.rows.values(), self.ranking)
            self._stale = False

    def completed(self) -> list[Job]:
        """The jobs that are completed."""
        return [job for digest, job in self._jobs.items() if self.rows[digest]["status"] == "completed"]

    def stop_requested(self) -> bool:
        """Whether `cancel` was typed for the sweep."""
        return self._directory.stop.exists()

    def text(self) -> str:
        """The ranked table, where everything is, and how what is left goes on."""
        places = f"sweep  {self._directory.path}\ntable  {self._directory.results}"
        left = any(row["status"] not in ("completed", "failed") for row in self.rows.values())
        way = f"\nresume  {self._resume()}" if left else ""
        return f"\n{table(self.rows.values(), self.ranking)}\n\n{places}{way}"

    def fault(self) -> str | None:
        """The fault of a ranking by what completed runs have not measured; None where there is none."""
        return unranked(self.rows.values(), self.ranking, self._resume())

    def _resume(self) -> str:
        return f"python -m training_hub resume {shlex.quote(str(self._directory.path))}"

    def _set(self, job: Job, row: dict[str, Any]) -> None:
        self.rows[job.digest] = row
        self._stale = True

    def _row(self, job: Job) -> dict[str, Any]:
        return {"swept": job.swept, **outcome(self._directory.run_of(job))}


def told(row: dict[str, Any], ranking: Ranking) -> str:
    """What came of a run, in one line."""
    value = objective(row, ranking)
    if value is not None:
        loss = ranking.metric or ("loss" if row["eval_loss"] is None else "eval_loss")
        shown = f"{ranking.column} {value:.6g}" if ranking.column else f"{loss.replace('_', ' ')} {value:.4f}"
        return f"{row['status']} in {duration(row['seconds'])}, {shown}"
    if row["status"] == "completed":
        return f"completed in {duration(row['seconds'])}, no {ranking.metric or 'loss'}"
    reason = (row["error"] or "").splitlines()
    return f"{row['status']}: {reason[0]}" if reason else str(row["status"])
