"""`resume DIR`: the command that began a sweep, once more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from training_hub import catalogue, vouched
from training_hub.config.overrides import override_texts
from training_hub.config.twice import changed
from training_hub.errors import ConfigError, fault
from training_hub.params import SweepParams, aliases
from training_hub.run import RunDir
from training_hub.stored import Damaged
from training_hub.sweep_dir import SweepDir

_NOT_AGAIN = ("output_dir", "ckpt_output_dir", "resume")


def command_of(path: str, further: Sequence[str], config_dirs: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Overrides and config folders that go on with the sweep in a folder; changes to the folder where it was begun.

    further: settings in place of those of that time. config_dirs: looked into before its own.
    ConfigError where there is no sweep.
    """
    directory = SweepDir(path)
    if not directory.exists():
        way = "type its command again with resume=auto" if RunDir(path).exists() else "give the folder of a sweep"
        raise ConfigError(
            f"resume {path}: {'a run, not a sweep' if RunDir(path).exists() else 'no sweep there'}; {way}"
        )
    vouched.heed_sweep(directory, f"resume {path}", vouched.is_trusted(further))
    began = directory.read()
    if not Path(began["folder"]).is_dir():
        raise ConfigError(
            fault(
                "resume", path, f"{began['folder']}, the folder it was started in, no longer exists", "create it again"
            )
        )
    if lacking := [name for name in ("folder", "overrides") if began.get(name) is None]:
        raise Damaged(directory.description, f"{lacking[0]} is missing")
    own = [str(directory.conf)] if directory.conf.is_dir() else began.get("config_dirs") or []
    folders = [*map(os.path.abspath, config_dirs), *own]
    os.chdir(began["folder"])
    typed = vouched.without_word(began["overrides"]) if config_dirs else began["overrides"]  # not for further files
    left_out = (*_NOT_AGAIN, "rank_mode") if any(_name(text) == "rank_by" for text in further) else _NOT_AGAIN
    kept = [text for text in typed if _name(text) not in left_out]
    here = override_texts({"output_dir": str(directory.path)}, set())
    return [*changed(kept, further, catalogue.names() | aliases(SweepParams)), *here, "resume=must"], folders


def _name(override: str) -> str:
    return override.partition("=")[0].lstrip("+")
