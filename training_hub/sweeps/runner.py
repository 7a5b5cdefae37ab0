"""One job of a sweep, followed by a thread of its own; what trains is a process of its own."""

from __future__ import annotations

from threading import Thread
from typing import Any

from training_hub import train
from training_hub.errors import HubError
from training_hub.machine.signals import PassedOn, Stops
from training_hub.provenance import command_line
from training_hub.sweep_dir import Job


class Runner(Thread):
    """error: what became of the run, None where it is sound. exit_status: as the run alone would have had."""

    def __init__(self, job: Job, planned: train.Plan, stops: Stops) -> None:
        super().__init__(name=job.name)
        self.job, self.planned = job, planned
        self.error: BaseException | None = None
        self.exit_status = 0
        self._stops = stops

    def run(self) -> None:
        """Run the job to its end."""
        try:
            train.follow(self.planned, command_line(), lambda directory: _Messenger(self._stops))
        except HubError as error:
            self.error, self.exit_status = error, error.exit_status
        except BaseException as error:  # whatever it is, the other jobs go on and the table tells of it
            self.error, self.exit_status = error, 1


class _Messenger:
    """Passes each wish to stop on to the launcher, as the Ctrl-C that would have reached it in the main thread."""

    def __init__(self, stops: Stops) -> None:
        self._stops, self._heard = stops, 0

    def __enter__(self) -> _Messenger:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def tick(self) -> None:
        if self._heard < self._stops.count:
            self._heard += 1
            raise PassedOn
