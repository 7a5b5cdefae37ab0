"""What the client knows of a logger: its settings and what they need. What writes is in `workers/loggers/`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from training_hub.params import LoggerNode


class Logger:
    """Somewhere that metrics go.

    Node: its settings.
    """

    Node: ClassVar[type[LoggerNode]] = LoggerNode

    def __init__(self, **settings: Any) -> None:
        """settings: those of its node."""
        self.settings = settings

    def check(self) -> Iterator[str]:
        """What is wrong with settings that are sound one by one, one line each."""
        yield from ()
