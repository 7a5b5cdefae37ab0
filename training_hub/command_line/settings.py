"""What follows a verb: the words and settings that it declares, and the settings of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training_hub.command_line.flags import Line
from training_hub.command_line.kinds import type_text
from training_hub.command_line.refusals import refuse_late_verb
from training_hub.command_line.verb import Call, Verb, Word
from training_hub.errors import ConfigError, enumerate_names, fault, suggestion

if TYPE_CHECKING:
    from pydantic import BaseModel


def call_of(name: str, verb: Verb, line: Line) -> Call:
    """What a verb is called with. ConfigError with every fault of its words and of its own settings."""
    if verb.overrides:
        refuse_late_verb(line)
        _refuse_unsound(line.config_dirs)
    words, rest = _words(verb, [*line.words, *line.implied])
    faults = [f"{name}: needs {word.what}; write {usage(name, verb)}" for word in _missing(verb, words)]
    fields = verb.settings.model_fields if verb.settings else {}
    own = [text for text in rest if not verb.overrides or text.lstrip("+~").partition("=")[0] in fields]
    settings = None
    try:
        settings = read(name, own, verb.settings)
    except ConfigError as error:
        faults += error.faults
    if faults:
        raise ConfigError(*faults)
    return Call(words, settings, line.own, [text for text in rest if text not in own], line.config_dirs, line.sweep)


def _missing(verb: Verb, words: Sequence[str]) -> list[Word]:
    """The words that a verb must have and were not typed."""
    return [word for word in verb.words[len(words) :] if not word.optional]


def usage(name: str, verb: Verb) -> str:
    """The words of a command and its required settings: `export RUN_OR_CHECKPOINT output_dir=...`."""
    fields = verb.settings.model_fields if verb.settings else {}
    required = [f"{each}=..." for each, field in fields.items() if field.is_required()]
    return " ".join([name, *(str(word) for word in verb.words if word.what), *required])


def _words(verb: Verb, typed: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before the settings, as many as are declared, and what follows them."""
    if not verb.words:
        return [], list(typed)
    takes_settings = verb.overrides or verb.settings is not None
    count = next((place for place, word in enumerate(typed) if takes_settings and _is_setting(word)), len(typed))
    if not any(word.several for word in verb.words):
        count = min(count, len(verb.words))
    return list(typed[:count]), list(typed[count:])


def _is_setting(word: str) -> bool:
    """Whether a word sets something; a sweep's runs are in folders such as `lr=1e-05,seed=1-bd31e17e`."""
    return "=" in word and not Path(word).expanduser().exists()


def _refuse_unsound(config_dirs: Sequence[str]) -> None:
    """ConfigError for a folder of `--config-dir` that Hydra would pass over, in whole or in part."""
    if config_dirs:
        from training_hub.config.folders import refuse_unsound

        refuse_unsound(config_dirs)


def read(name: str, typed: Sequence[str], owner: type[BaseModel] | None) -> BaseModel | None:
    """Settings of a verb's own. ConfigError with every fault. owner: their class; None: there are none."""
    if owner is None:
        if typed:
            raise ConfigError(f"{typed[0]}: {name} takes no settings; drop it")
        return None
    from training_hub.config.twice import refuse_twice
    from training_hub.config.typed import parse
    from training_hub.config.values import wrong_values

    faults = [f"{word}: not a setting; write NAME=VALUE" for word in typed if "=" not in word and word[:1] != "~"]
    parsed = [parse(text) for text in typed if "=" in text or text[:1] == "~"]
    faults += [f"{each.input_line}: a setting of {name} cannot be deleted" for each in parsed if each.is_delete()]
    refuse_twice(parsed, {})
    given = {str(each.key_or_group): _value(each, owner) for each in parsed}
    strange = given.keys() - owner.model_fields.keys()
    faults += [fault(key, given[key], "no such setting", _way_out(key, owner)) for key in sorted(strange)]
    faults += wrong_values(owner, given, "")
    missing = [key for key, field in owner.model_fields.items() if field.is_required() and key not in given]
    faults += [f"{key}: required setting is missing; add {key}=..." for key in missing]
    if faults:
        raise ConfigError(*faults)
    return owner(**given)


def _value(override: Any, owner: type[BaseModel]) -> Any:
    """The value of a setting; a text that looks like a number as it was typed: `python=3.10` is not 3.1."""
    value, field = override.value(), owner.model_fields.get(str(override.key_or_group))
    is_text = field is not None and type_text(field.annotation).startswith("text")
    return str(override.input_line).partition("=")[2] if is_text and isinstance(value, int | float) else value


def _way_out(name: str, owner: type[BaseModel]) -> str:
    return suggestion(name, owner.model_fields) or f"choose from {enumerate_names(owner.model_fields)}"
