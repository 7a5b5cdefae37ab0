"""What was typed, taken apart: the verb, its flags, Hydra's flags, and the rest; in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from training_hub.command_line import finding
from training_hub.command_line.verb import Flag, Verb
from training_hub.errors import ConfigError, nearest, suggestion

# Flags of every verb -> what they do; `--debug` is taken out before.
EVERYWHERE = {
    "--help": "show this; after a verb: its words, settings and flags",
    "--debug": "show the traceback of an error",
    "--version": "print the version",
}
# Flags for the settings of a run. Hydra's own show something and run nothing.
OF_RUNS = {
    "-m": "run every combination of comma-separated values; jobs=N: so many at a time; rank_by=METRIC: rank them by it",
    "--config-dir DIR": "add a folder with config groups of your own, such as DIR/experiment/mine.yaml",
}
OF_HYDRA = {
    "--cfg job [--resolve]": "print the composed config",
    "--info ...": "show how the config is composed: defaults, defaults-tree, searchpath, plugins",
    "--hydra-help": "print Hydra's own help",
}
SWEEP, _CONFIG_DIR = ("-m", "--multirun"), ("--config-dir", "-cd")
_SHOWS = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
_LONG = {"-c": "--cfg", "-i": "--info", "-p": "--package"}
_ACTIONS = ("--cfg", "-c", "--info", "-i", "--hydra-help")
_VALUED = {"--cfg", "-c", "--info", "-i", "--package", "-p", *_CONFIG_DIR}
_PLAIN = {"--hydra-help", "--resolve", *SWEEP, "--help", "-h", "--version"}
_EXPERIMENTS = "its config is its own; use experiment=NAME with --config-dir DIR"
_COMPLETION = 'use this program\'s own: eval "$(training-hub completion bash)"'
_OTHERS = {
    **dict.fromkeys(("--config-name", "-cn", "--config-path", "-cp"), _EXPERIMENTS),
    **dict.fromkeys(("--shell-completion", "-sc"), _COMPLETION),
    **dict.fromkeys(("--run", "-r"), "drop it: a run is what is started"),
    "--experimental-rerun": "use resume DIR; what was typed is in DIR/overrides.yaml",
}


@dataclass
class Line:
    """A command line. verb: as typed, "" where none was. words: all that is no flag, without the verb.

    flags: those of every verb and Hydra's, with their values. own: the verb's, by the first of their names. implied:
    the settings that flags are short for.
    """

    verb: str = ""
    words: list[str] = field(default_factory=list)
    flags: list[tuple[str, str | None]] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    implied: list[str] = field(default_factory=list)

    def has(self, *names: str) -> bool:
        """Whether one of these flags was typed."""
        return any(flag in names for flag, _ in self.flags)

    @property
    def config_dirs(self) -> list[str]:
        """The folders of `--config-dir`."""
        return [str(value) for flag, value in self.flags if flag in _CONFIG_DIR]

    @property
    def sweep(self) -> bool:
        """Whether `-m` was typed."""
        return self.has(*SWEEP)

    @property
    def shows(self) -> list[str]:
        """The flags of Hydra's that show something."""
        return sorted({flag for flag, _ in self.flags if flag in _ACTIONS})


def split(typed: Sequence[str]) -> Line:
    """Take a command line apart. ConfigError for flags that do not exist, and for a verb that does not."""
    line, pending, place = Line(), list(typed), _place_of_verb(typed)
    known = place is not None and typed[place] in finding.names()
    if place is not None and known:
        line.verb = pending.pop(place)
    verb = finding.load(line.verb or finding.DEFAULT)
    while pending:
        _take(line, verb, pending)
    if place is not None and not known:
        finding.load(typed[place])  # says so
    return line


def _place_of_verb(typed: Sequence[str]) -> int | None:
    """Where the verb is: the first word that is neither a flag nor the value of one, unless it sets something."""
    skip = False
    for place, word in enumerate(typed):
        if not skip and not word.startswith("-"):
            return None if "=" in word or word.startswith(("+", "~")) else place
        skip = not skip and word in _VALUED
    return None


def _take(line: Line, verb: Verb, pending: list[str]) -> None:
    """Take the next word, and the value of a flag with it."""
    own = {name: flag for flag in verb.flags for name in flag.names}
    word = pending.pop(0)
    name, equals, value = word.partition("=")
    if not word.startswith("-"):
        line.words.append(word)
    elif name in own:
        _take_own(line, own[name], word, pending)
    elif name in _VALUED:
        if not equals and not pending:
            raise ConfigError(f"{name}: is the last word, without its value; add it")
        _add(line, name, value if equals else pending.pop(0))
    elif name in _PLAIN and not equals:
        line.flags.append((name, None))
    elif name in _PLAIN:
        raise ConfigError(f"{word}: this flag has no value; write {name}")
    else:
        asked = "no such flag" if verb.overrides else f"{line.verb} has no such flag"
        raise ConfigError(f"{word}: {asked}; {_way_out(word, verb, pending)}")


def _take_own(line: Line, flag: Flag, word: str, pending: list[str]) -> None:
    name, equals, value = word.partition("=")
    if equals and not flag.value:
        raise ConfigError(f"{word}: this flag has no value; write {name}")
    if flag.value and flag.names[0] in line.own:
        raise ConfigError(f"{word}: this flag is given twice; keep one of the two")
    if flag.setting:
        line.implied.append(flag.setting)
        return
    line.own[flag.names[0]] = (value if equals else pending.pop(0) if pending else "") if flag.value else ""


def _add(line: Line, name: str, value: str) -> None:
    if name not in _CONFIG_DIR and line.has(name):
        raise ConfigError(f"{name}={value}: {name} is given twice; keep one of the two")
    line.flags.append((name, value))
    known = _SHOWS.get(_LONG.get(name, name))
    if known and value not in known:
        way = suggestion(value, known) or f"choose from {', '.join(known)}"
        raise ConfigError(f"{name} {value}: nothing to show of this name; {way}")


def _way_out(word: str, verb: Verb, pending: Sequence[str]) -> str:
    """What may be meant by a flag that does not exist: other programs' settings are flags."""
    flag, _, value = word.partition("=")
    if flag in _OTHERS:
        return _OTHERS[flag]
    known = [*(name for each in verb.flags for name in each.names), *_VALUED, *_PLAIN, "--debug"]
    if close := nearest(flag.strip("-"), [each[2:] for each in known if each.startswith("--")]):
        return f"did you mean --{close}?"
    setting = flag.strip("-").replace("-", "_")
    beside = pending[0] if pending and not value and "=" not in pending[0] and pending[0][:1] != "-" else ""
    if len(setting) > 1 and (value or beside) and verb.overrides:
        return f"a setting has no dashes: {setting}={value or beside}"
    return "see --help"


def values_of(flag: str) -> tuple[str, ...]:
    """What a flag of Hydra's can show; nothing for other flags."""
    return _SHOWS.get(_LONG.get(flag, flag), ())
