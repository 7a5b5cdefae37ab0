"""What is typed after a verb that composes no config: words first, then settings of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from training_hub.command_line.help import type_text
from training_hub.config.twice import refuse_twice
from training_hub.config.typed import parse
from training_hub.config.values import wrong_values
from training_hub.errors import ConfigError, enumerate_names, fault, shown_value, suggestion

Settings = TypeVar("Settings", bound=BaseModel)


def read(verb: str, words: Sequence[str], owner: type[Settings], wanted: Sequence[str]) -> tuple[list[str], Settings]:
    """The words before the settings, as many as are wanted, and the settings. ConfigError with every fault.

    owner: the settings' class; wanted: what each word stands for, e.g. "RUN_OR_CHECKPOINT"; "DIR ..." are any number.
    """
    count = next((number for number, word in enumerate(words) if _is_setting(word)), len(words))
    faults = [f"{name}: is missing; write {verb} {_usage(wanted, owner)}" for name in wanted[count:]]
    if not any(each.endswith(" ...") for each in wanted):
        faults += [f"{word}: not a setting; write NAME=VALUE" for word in words[len(wanted) : count]]
    parsed = [parse(text) for text in words[count:]]
    faults += [f"{each.input_line}: a setting of {verb} cannot be deleted" for each in parsed if each.is_delete()]
    refuse_twice(parsed, {})
    given: dict[str, Any] = {str(each.key_or_group): each.value() for each in parsed}
    strange = given.keys() - owner.model_fields.keys()
    faults += [fault(name, given[name], "no such setting", _way_out(name, owner)) for name in sorted(strange)]
    faults += wrong_values(owner, given, "")
    missing = [name for name, field in owner.model_fields.items() if field.is_required() and name not in given]
    faults += [f"{name}: required setting is missing; add {name}=..." for name in missing]
    if faults:
        raise ConfigError(*faults)
    return list(words[:count]), owner(**given)


def _is_setting(word: str) -> bool:
    """Whether a word sets something; a sweep's runs lie in folders such as `lr=1e-05,seed=1-bd31e17e`."""
    return "=" in word and not Path(word).expanduser().exists()


def help_of(verb: str, meaning: str, owner: type[BaseModel], wanted: Sequence[str]) -> str:
    """The text of `VERB --help`."""
    width = max(map(len, owner.model_fields))
    lines = [f"  {name:<{width}}  {_about(field)}" for name, field in owner.model_fields.items()]
    return "\n".join([f"usage: python -m training_hub {verb} {_usage(wanted, owner)}", "", f"  {meaning}", "", *lines])


def _about(field: FieldInfo) -> str:
    default = "required" if field.is_required() else f"default {shown_value(field.default)}"
    return f"{field.description} ({type_text(field.annotation)}; {default})"


def _usage(wanted: Sequence[str], owner: type[BaseModel]) -> str:
    required = [f"{name}=..." for name, field in owner.model_fields.items() if field.is_required()]
    return " ".join([*wanted, *required])


def _way_out(name: str, owner: type[BaseModel]) -> str:
    return suggestion(name, owner.model_fields) or f"choose from {enumerate_names(owner.model_fields)}"
