"""The jobs of a sweep on this machine: as many at a time as there is room for; one's failure stops no other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from training_hub import train
from training_hub.errors import EXIT_INTERRUPTED, ConfigError
from training_hub.machine.signals import Stops, counted_stops
from training_hub.sweep_dir import Job
from training_hub.sweeps.board import Board
from training_hub.sweeps.runner import Runner
from training_hub.sweeps.slots import Slots
from training_hub.terminal import say

_TICK_S = 0.05


class Queue:
    """Runs jobs until none is left. Ctrl-C once: what runs saves and stops, the rest does not start; twice: at once."""

    def __init__(
        self, jobs: Sequence[Job], at_a_time: int | None, plan: Callable[[Job], train.Plan], board: Board
    ) -> None:
        """plan: of a job that is about to start. board: is told of every job that starts and ends."""
        self._waiting, self._plan, self._board = deque(jobs), plan, board
        self._running: list[Runner] = []
        self._slots = Slots(at_a_time, len(jobs))
        self._status = 0

    def run(self) -> int:
        """Returns the exit status: the highest of the jobs'."""
        with counted_stops() as stops:
            stopping = False
            while self._running or (self._waiting and not stopping):
                while self._waiting and not stopping and self._start(self._waiting[0], stops):
                    self._waiting.popleft()
                if not stopping and (stops.count or self._board.stop_requested()):
                    stopping = True
                    self._say_stopping()
                time.sleep(_TICK_S)
                self._reap()
                self._board.tick()
        return max(self._status, EXIT_INTERRUPTED) if stopping else self._status

    def _start(self, job: Job, stops: Stops) -> bool:
        """False where there is no room for it yet."""
        try:
            planned = self._slots.take(self._plan(job))
        except ConfigError as error:  # what was right when the sweep began need not be so now
            self._status = max(self._status, error.exit_status)
            self._board.ended(job, error)
            return True
        if planned is not None:
            self._board.started(job)
            runner = Runner(job, planned, stops)
            self._running.append(runner)
            runner.start()
        return planned is not None

    def _reap(self) -> None:
        for runner in [each for each in self._running if not each.is_alive()]:
            self._running.remove(runner)
            self._slots.give_back(runner.planned)
            self._status = max(self._status, runner.exit_status)
            self._board.ended(runner.job, runner.error)

    def _say_stopping(self) -> None:
        rest = f", {len(self._waiting)} will not start" if self._waiting else ""
        say(f"\nstopping: {len(self._running)} running{rest}; Ctrl-C again to end at once")
