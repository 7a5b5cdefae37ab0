"""Command lines that are refused: a verb that does not come first, and flags that would be ignored."""

from __future__ import annotations

import shlex

from training_hub.command_line import finding
from training_hub.command_line.flags import SWEEP, Line
from training_hub.command_line.verb import Verb
from training_hub.errors import ConfigError

_WITH_OTHERS = ("--package", "-p", "--resolve")


def refuse_late_verb(line: Line) -> None:
    """ConfigError for a verb that does not come first: it is the command that was meant."""
    taken = len(finding.load(line.verb).words) if line.verb else 0
    late = next((word for word in line.words[taken:] if word in finding.names()), None)
    if late and line.verb:
        raise ConfigError(f"{late}: {line.verb} is the verb already; keep one of the two")
    if late:
        flags = [text for flag in line.flags for text in flag if text is not None]
        others = shlex.join([*flags, *(word for word in line.words if word != late)])
        raise ConfigError(f"{late}: a verb comes first; type python -m training_hub {late} {others}")


def refuse_for(verb: Verb, name: str, line: Line) -> None:
    """ConfigError for flags that would be ignored, or that would start what was not asked for."""
    if line.config_dirs and not verb.overrides:
        raise ConfigError(f"--config-dir={line.config_dirs[0]}: {name} reads no config groups; drop it")
    if line.sweep and not verb.sweeps:
        raise ConfigError(f"{name}: not for sweeps; drop -m")
    shows = [*(flag for flag, _ in line.flags if flag in SWEEP), *line.shows] if line.shows else []
    alone = next((flag for flag, _ in line.flags if flag in _WITH_OTHERS), None)
    if alone and not line.shows:
        raise ConfigError(f"{alone}: has no meaning alone; add --cfg job, or drop it")
    if line.shows and line.verb:
        raise ConfigError(f"{name}: {line.shows[0]} shows something and does nothing else; drop one of the two")
    if len(shows) > 1:
        first, second = sorted(shows)[:2]
        raise ConfigError(f"{second}: {first} is given as well; keep one of the two")
