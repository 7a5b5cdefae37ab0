"""What a sweep's directory says of the sweep as a whole: what brings it about again, and how it stands."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from training_hub.config.secrets import refusals
from training_hub.errors import EXIT_CTRL_C, EXIT_INTERRUPTED, ConfigError, fault
from training_hub.provenance import command_line
from training_hub.ranking import Ranking
from training_hub.redaction import redacted
from training_hub.sweep_dir import Job, SweepDir

_WORDS = {0: "completed", EXIT_INTERRUPTED: "interrupted", EXIT_CTRL_C: "interrupted"}  # anything else: failed


@dataclass
class Record:
    """status: the exit status of the sweep."""

    status: int = 1


@contextmanager
def recorded(
    directory: SweepDir,
    jobs: Sequence[Job],
    overrides: Sequence[str],
    config_dirs: Sequence[str],
    options: Mapping[str, str],
    ranking: Ranking,
) -> Iterator[Record]:
    """Write the description of a sweep that begins or goes on, and its end. ConfigError where it goes on already."""
    if faults := refusals([*overrides, *config_dirs]):
        raise ConfigError(*faults)
    with directory.held() as alone:
        if not alone:
            way = "wait until it ends, or choose another"
            raise ConfigError(fault("output_dir", directory.path, "a sweep is running there", way))
        directory.stop.unlink(missing_ok=True)
        directory.write(
            jobs,
            options,
            status="running",
            rank_by=ranking.metric,
            rank_mode=ranking.mode,
            started=_now(),
            command=redacted(shlex.join(command_line())),
            folder=str(Path.cwd()),
            overrides=list(overrides),
            config_dirs=[str(Path(each).absolute()) for each in config_dirs],
        )
        record = Record()
        try:
            yield record
        finally:
            with suppress(OSError):  # the disk may be full
                directory.update(status=_WORDS.get(record.status, "failed"), ended=_now())


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
