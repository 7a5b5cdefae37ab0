"""What a verb declares of itself. This imports nothing heavy, and neither does a module that declares a verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

# The headings of `--help`, in their order; a verb with another one comes after these.
SECTIONS = ("train", "before a run", "during and after a run", "models", "this machine")


@dataclass(frozen=True)
class Word:
    """A word that a verb takes, such as a folder.

    what: completes "needs ..."; "" for what only programs type. several: any number of such words. completes: what the
    shell offers for it, "run" (run folders), "path", "group:NAME" (the options of a config group), or the words
    themselves, separated by spaces.
    """

    name: str
    what: str
    optional: bool = False
    several: bool = False
    completes: str = "path"

    def __str__(self) -> str:
        text = f"{self.name} ..." if self.several else self.name
        return f"[{text}]" if self.optional else text


@dataclass(frozen=True)
class Flag:
    """A flag of one verb.

    names: its spellings, the first one is its key in `Call.flags`. value: what stands for its value in `--help`, ""
    where it takes none. setting: the setting that it is short for, such as `watch=true`.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    setting: str = ""


@dataclass(frozen=True)
class Call:
    """What was typed after a verb.

    words: as declared. settings: an instance of the verb's own class. flags: key -> value, "" where it has none.
    overrides: settings of the run, in Hydra's grammar. config_dirs: of `--config-dir`. sweep: whether for every run of
    a sweep.
    """

    words: Sequence[str] = ()
    settings: Any = None
    flags: Mapping[str, str] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    config_dirs: Sequence[str] = ()
    sweep: bool = False


@dataclass(frozen=True)
class Verb:
    """A verb: the `VERB` of the module that has its name, `training_hub.verbs.NAME` or that of an extension.

    help: one line. run: does it, returns the exit status, and imports what is heavy. words: what follows the verb.
    settings: a class with the verb's own settings. overrides: whether it also takes the settings of a run. sweeps:
    whether it works for every run of a sweep (`-m`). trains: whether it starts runs, so that what it prints is not
    its result.
    """

    help: str
    run: Callable[[Call], int]
    section: str = "more"
    words: tuple[Word, ...] = ()
    settings: type[BaseModel] | None = None
    flags: tuple[Flag, ...] = ()
    overrides: bool = False
    sweeps: bool = False
    trains: bool = False
