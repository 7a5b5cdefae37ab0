"""`--help`: of the program, in short where nothing was typed, and of one verb."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from training_hub.command_line import finding
from training_hub.command_line.entries import NAMES, entry
from training_hub.command_line.flags import EVERYWHERE, OF_HYDRA, OF_RUNS, Line
from training_hub.command_line.settings import usage
from training_hub.command_line.verb import SECTIONS, Verb
from training_hub.errors import ConfigError

_USAGE = """\
usage: python -m training_hub [VERB] [NAME=VALUE ...] [-m]      (or: training-hub ...)

  python -m training_hub model_path=MODEL data_path=rows.jsonl lr=1e-5 num_epochs=2
  python -m training_hub plan experiment=quickstart
  python -m training_hub -m lr=1e-5,5e-5 seed=1,2 ..."""
_NAMES_OF_VERBS = 15


def short() -> str:
    """The verbs and the flags."""
    more = "`--help` also lists the choices and parameters, `VERB --help` what one verb takes."
    return "\n".join([_USAGE, *_verbs(), "", *_flags(EVERYWHERE | OF_RUNS | OF_HYDRA), "", more])


def text_of(line: Line) -> str:
    """What `--help` prints on this command line."""
    if not line.verb:
        return whole(line.words, line.config_dirs)
    verb = finding.load(line.verb)
    own = set(verb.settings.model_fields) if verb.settings else set()
    overrides = [word for word in line.words if "=" in word and word.partition("=")[0] not in own]
    return of_verb(line.verb, verb, overrides, line.config_dirs)


def whole(overrides: Sequence[str], config_dirs: Sequence[str]) -> str:
    """All of it: verbs, choices, flags, and the parameters of what the overrides choose."""
    from training_hub.command_line.parameters import lines

    flags = _flags(EVERYWHERE | OF_RUNS | OF_HYDRA)
    return "\n".join([_USAGE, *_verbs(), "", *lines(overrides, config_dirs), "", *flags])


def of_verb(name: str, verb: Verb, overrides: Sequence[str], config_dirs: Sequence[str]) -> str:
    """What one verb does and takes; where that includes the settings of a run, those too."""
    after = " [NAME=VALUE ...]" if verb.overrides else ""
    parts = [f"usage: python -m training_hub {usage(name, verb)}{after}", "", *entry("", verb.help, 2)]
    parts += (
        ["", *(line for word in verb.words if word.what for line in entry(word.name, word.what, NAMES))]
        if verb.words
        else []
    )
    parts += ["", f"settings of {name}", *_settings(verb)] if verb.settings else []
    own = {_spelled(flag.names, flag.value): flag.help for flag in verb.flags}
    shared = {text: OF_RUNS[text] for text in OF_RUNS if verb.overrides and (verb.sweeps or text != "-m")}
    parts += ["", *_flags(own | shared | EVERYWHERE)]
    if verb.overrides:
        from training_hub.command_line.parameters import lines

        parts += ["", *lines(overrides, config_dirs)]
    return "\n".join(parts)


def _verbs() -> Iterator[str]:
    """The verbs under their headings; one of an extension that cannot be imported says so."""
    found = sorted(_loaded(), key=lambda each: _place(each[1]))
    for (_, section), inner in groupby(found, key=lambda each: _place(each[1])):
        yield from ("", f"verbs: {section}")
        for name, verb in inner:
            yield from entry(name, verb.help, _NAMES_OF_VERBS)


def _loaded() -> Iterator[tuple[str, Verb]]:
    for name in finding.names():
        try:
            yield name, finding.load(name)
        except ConfigError as error:
            yield name, Verb(help=str(error), run=lambda _: 2)


def _place(verb: Verb) -> tuple[int, str]:
    """Where a verb's section comes, and its name."""
    return (SECTIONS.index(verb.section) if verb.section in SECTIONS else len(SECTIONS)), verb.section


def _settings(verb: Verb) -> Iterator[str]:
    from training_hub.command_line.kinds import type_text
    from training_hub.errors import shown_value
    from training_hub.params import unit

    for name, field in verb.settings.model_fields.items() if verb.settings else ():
        kind = type_text(field.annotation) + (f", {unit(field)}" if unit(field) else "")
        default = "required" if field.is_required() else f"default {shown_value(field.get_default())}"
        yield from entry(name, f"{field.description} ({kind}; {default})", NAMES)


def _spelled(names: Iterable[str], value: str) -> str:
    return ", ".join(f"{name} {value}" if value else name for name in names)


def _flags(meanings: Mapping[str, str]) -> Iterator[str]:
    yield "flags"
    for flag, meaning in meanings.items():
        yield from entry(flag, meaning, NAMES)
