"""What the user typed: overrides in Hydra's grammar, each parameter under its own name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from training_hub.config.choices import options_of
from training_hub.config.folders import unread
from training_hub.config.groups import SEVERAL
from training_hub.config.twice import refuse_twice
from training_hub.errors import ConfigError, enumerate_names, fault, shown_value, suggestion

_SIGNIFICANT = set("'\"\\()[]{},$")


def legible(text: str) -> str:
    """An override, its value in quotes where Hydra's lexer does not know a letter of it: `resume=/home/jörg/run`."""
    name, equals, value = text.partition("=")
    strange = not value.isascii() or any(each in value for each in "~#&;!<>`^")
    return f"{name}='{value.strip()}'" if equals and strange and not _SIGNIFICANT & set(value) else text


def parse(text: str) -> Override:
    """One override. ConfigError for bad grammar, and for several values where one is wanted."""
    way = "write NAME=VALUE, and quote a value with special characters: 'NAME=\"VALUE\"'"
    try:
        parsed = OverridesParser.create().parse_override(legible(text))
    except HydraException:
        raise ConfigError(f"{text}: not a setting; {way}") from None
    except RecursionError:
        raise ConfigError(f"{shown_value(text)}: nested too deep; write it flatter") from None
    if not parsed.key_or_group:
        raise ConfigError(f"{text}: not a setting; {way}")
    if parsed.is_sweep_override():
        raise ConfigError(f"{text}: several values are a sweep; add -m, or quote the value if it is one text")
    return parsed


def is_group(override: Override, groups: set[str]) -> bool:
    """Whether an override chooses an option rather than sets a value."""
    return override.key_or_group in groups or override.key_or_group.startswith("hydra/")


def rewrite(override: Override, groups: set[str], aliases: Mapping[str, str]) -> str:
    """Add the key where it is missing: the check that follows knows better than Hydra which key was meant."""
    text = str(override.input_line)
    key = override.key_or_group
    if is_group(override, groups) or override.is_delete() or key.split(".")[0] == "hydra" or "@" in text.split("=")[0]:
        return text
    return f"++{aliases.get(key, key)}={text.partition('=')[2]}"


@dataclass(frozen=True)
class Typed:
    """What the user set. values: own name -> text as typed. written: own name -> the name that was typed."""

    values: dict[str, str]
    written: dict[str, str]

    def __contains__(self, key: str) -> bool:
        return key in self.values


def typed_values(parsed: Sequence[Override], groups: set[str], aliases: Mapping[str, str]) -> Typed:
    """What the overrides set. Raises ConfigError where one setting is given several values."""
    refuse_twice(parsed, aliases)
    typed = Typed({}, {})
    for each in parsed:
        key, value = each.key_or_group, str(each.input_line).partition("=")[2]
        own = aliases.get(key, key)
        if is_group(each, groups) or own.split(".")[0] == "hydra":
            continue
        typed.values[own], typed.written[own] = value, key
    return typed


def refuse_unknown_options(loader: ConfigLoader, chosen: Sequence[Override], folders: Sequence[str]) -> None:
    """Name every option that does not exist, with the ones that do."""
    faults = []
    for each in chosen:
        value = each.value()
        if isinstance(value, list) and not each.key_or_group.startswith(SEVERAL):
            faults.append(f"{each.input_line}: one option is chosen of this group; write {each.key_or_group}=NAME")
            continue
        known = options_of(loader, each.key_or_group, folders)
        for name in value if isinstance(value, list) else [value]:
            if each.key_or_group == "experiment" and (name is None or each.is_delete()):
                faults.append(f"{each.input_line}: none is chosen where it is left out; drop it")
                continue
            absent_is_fine = each.is_delete()
            if not absent_is_fine and str(name).removesuffix(".yaml") not in known:
                way = unread(each.key_or_group, str(name), folders) or suggestion(str(name), known)
                way = way or (f"choose from {enumerate_names(known)}" if known else "there is none; drop it")
                faults.append(fault(each.key_or_group, name, "no such option", way))
    if faults:
        raise ConfigError(*faults)
