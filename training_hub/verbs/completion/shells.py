"""The script for each shell: the files in this folder."""

from __future__ import annotations

from pathlib import Path

from training_hub.errors import ConfigError, enumerate_names, suggestion

_SCRIPTS = Path(__file__).parent / "assets"


def script(shell: str) -> str:
    """The script for a shell. ConfigError where there is none."""
    known = sorted(each.name for each in _SCRIPTS.iterdir())
    if shell not in known:
        way = suggestion(shell, known) or f"choose from {enumerate_names(known)}"
        raise ConfigError(f"completion {shell}: no script for this shell; {way}")
    return (_SCRIPTS / shell).read_text()
