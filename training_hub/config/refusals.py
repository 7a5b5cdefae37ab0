"""Hydra's refusals in the project's grammar, with the place in a file and the right name where there is one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.conf import HydraConf
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from training_hub.config import choices, groups
from training_hub.config.choices import options
from training_hub.config.groups import GROUPS, NAMED_BY, ROOT, SEVERAL
from training_hub.config.hydra_words import OF_RECIPE, in_our_words
from training_hub.config.hydras import is_of_hydra, never_used, settings_of
from training_hub.config.sources import Source, place
from training_hub.config.strict_yaml import WORDS
from training_hub.errors import ConfigError, enumerate_names, fault, suggestion
from training_hub.params import LONGEST_NAME


def refuse_before_composing(parsed: Sequence[Override], config_dirs: Sequence[str]) -> None:
    """Refuse folders that are not there, and `~` before a config group: the program reads every one."""
    faults = [f"--config-dir={each}: no such folder" for each in config_dirs if not Path(each).is_dir()]
    faults += [_too_long(each) for each in parsed if len(os.fsencode(each.key_or_group)) > LONGEST_NAME]
    if faults:
        raise ConfigError(*faults)
    faults += [text for each in parsed for text in _choice_faults(each, config_dirs)]
    gone = [each.key_or_group for each in parsed if each.is_delete() and each.key_or_group in GROUPS - {"experiment"}]
    listed = [each for each in parsed if each.key_or_group.split(".")[0] == "defaults"]
    way = "choose an option of each group by its name, such as algorithm=osft"
    faults += [f"{each.input_line}: the defaults list stands in files alone; {way}" for each in listed]
    faults += never_used([setting for each in parsed if is_of_hydra(each) for setting in settings_of(each)])
    faults += [f"~{group}: a config group cannot be deleted; drop it, or choose another option" for group in gone]
    if faults:
        raise ConfigError(*faults)


def _too_long(override: Override) -> str:
    """Hydra looks for a file of that name, which no file system can have."""
    text = str(override.input_line)
    return f"{text[:40]}...: no such parameter, a name has at most {LONGEST_NAME} bytes"


def _choice_faults(override: Override, config_dirs: Sequence[str]) -> Iterator[str]:
    """What is wrong with how an option is chosen, wherever its files are."""
    group, value, package = override.key_or_group, override.value(), override.package
    typed, where = str(override.input_line).partition("=")[0], "" if package is None else f"@{package}"
    if is_of_hydra(override) or override.is_delete():
        return
    if group.split("/")[0] == "recipe" and package is None and ("/" in group or not isinstance(value, dict)):
        yield fault(group, value, OF_RECIPE)
    elif group in NAMED_BY:
        yield fault(group, value, "not a choice: every format is there", f"use {NAMED_BY[group]}={value}")
    elif package is not None and not (group in SEVERAL and package.startswith(f"{group}.")):
        yield fault(f"{group}{where}", value, "an option has its place", f"drop the {where}")
    elif group in GROUPS and typed.startswith("+") and package is None and not isinstance(value, dict):
        yield fault(typed, value, "one is chosen already, or none", f"drop the +: {typed.lstrip('+')}={value}")
    elif group in GROUPS - {"experiment", *SEVERAL} and isinstance(value, list):
        yield fault(group, value, "one is chosen, not a list of them", "give one name")
    elif group not in GROUPS and any(Path(each, group).is_dir() for each in config_dirs):
        way = f"choose from {enumerate_names(sorted(GROUPS))}, or write an experiment"
        yield fault(group, value, "no such config group", way)


def refuse_nodes_without_settings(cfg: DictConfig, sources: Sequence[Source]) -> None:
    """Refuse a config group's node that is a bare value: `model: foo` in a file of the user's."""
    faults = []
    several: dict[str, Any] = {group: cfg._get_node(group) for group in SEVERAL}
    inner = [f"{group}.{key}" for group, nodes in several.items() if _is_mapping(nodes) for key in nodes]
    for key in [*sorted(GROUPS & set(map(str, cfg))), *inner]:
        group, _, name = key.partition(".")
        node: Any = several[group]._get_node(name) if name else cfg._get_node(group)
        if not _is_mapping(node):
            where = next((each.place(key) for each in reversed(sources) if key in each.keys), "")
            faults.append(fault(key, node._value(), f"must hold settings{where}", "write NAME: VALUE below it"))
    if faults:
        raise ConfigError(*faults)


def _is_mapping(node: object) -> bool:
    return isinstance(node, DictConfig) and isinstance(node._value(), dict)


def yaml_fault(error: yaml.MarkedYAMLError) -> str:
    """A file that is no YAML, with the line."""
    mark = error.problem_mark or error.context_mark
    place = f"{'/'.join(Path(mark.name).parts[-2:])}, line {mark.line + 1}: " if mark else ""
    said = str(error.problem or error.context).removeprefix("did not find ")  # libyaml's words, not PyYAML's
    return f"{place}not valid YAML: {said}"


def refuse_missing_choices(full: DictConfig) -> None:
    """Refuse a defaults list that is itself misspelled, in its name or in one of its entries."""
    chosen = full.hydra.runtime.choices
    if not chosen.get("algorithm"):
        strange = [str(key) for key in full if suggestion(str(key), ["defaults"])]
        texts = [f"{key}: no such key{_place(ROOT, key)}; did you mean defaults?" for key in strange]
        raise ConfigError(*(texts or ["algorithm: nothing is chosen; add algorithm=..."]))
    for key in map(str, chosen):
        if not key.startswith("hydra/") and key.partition("@")[0] not in GROUPS:
            raise ConfigError(_entry_fault(ROOT, key, str(chosen[key])))
    for entry in choices.read_option("", ROOT)["defaults"]:
        for key in entry if isinstance(entry, dict) else ():
            word, _, group = key.rpartition(" ")  # Hydra reads the last word alone
            if word not in ("", *WORDS) or group.split("/")[0] not in {*GROUPS, "hydra"}:
                raise ConfigError(_entry_fault(ROOT, key, str(entry[key])))


def composition_fault(error: Exception) -> str:
    """What is wrong, in one line."""
    message = str(error)
    file = found[1] if (found := re.search(r"In '([^']+)'", message)) else ROOT
    missing = str(getattr(error, "missing_cfg_file", None) or "")
    if missing.startswith("recipe/"):
        _, algorithm, backend = missing.split("/", 2)
        way = f"use {enumerate_names(options(f'recipe/{algorithm}'))}"
        return fault("backend", backend, f"algorithm={algorithm} does not run on it", way)
    if missing:
        group, _, option = missing.partition("/")
        return _entry_fault(file, group, option)
    if "Cannot merge DictConfig with ListConfig" in f"{message} {error.__cause__}":
        return f"{file}.yaml: must hold settings, not a list; write NAME: VALUE"
    if said := in_our_words(message):
        return said
    if found := re.search(
        r"Key '([^']+)' not in '(\w+)'(?:\. Did .*)?\s+full_key: (\S+)", f"{message} {error.__cause__}"
    ):
        name, owner, key = found.groups()
        if key.split(".")[0] != "hydra":
            rule = f"the class {owner} of an option that Python code registered has no such key"
            return f"{key}: {rule}; register a dict, or add {name} to the class"
        return _setting_fault(file, name, key, getattr(error.__cause__ or error, "parent_node", None))
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        lines.append(str(error.__cause__).splitlines()[0])
    text = "; ".join(dict.fromkeys(lines))
    merging = re.match(r"Error merging override \+*(\S+?=.*?); (.*)", text)
    return f"{merging[1]}: {merging[2]}" if merging else text


def _setting_fault(file: str, name: str, key: str, node: object) -> str:
    """A setting of Hydra's own that does not exist."""
    parent = key.rpartition(".")[0].removeprefix("hydra").strip(".")
    known = OmegaConf.select(OmegaConf.structured(HydraConf), parent) if parent else HydraConf.__annotations__
    names = map(str, node) if isinstance(node, DictConfig) and not known else map(str, known or ())
    return _joined(f"{key}: no such setting of Hydra{_place(file, key)}", suggestion(name, names))


def _entry_fault(file: str, group: str, option: str) -> str:
    """An entry of a defaults list that leads nowhere: its first word, its group or its option is misspelled."""
    where = _place(file, f"defaults.{group}")
    word, _, name = group.rpartition(" ")
    name = name.strip("/")
    if word and word not in WORDS:
        right = suggestion(word, WORDS).replace("?", f" {name}?")
        return _joined(f"{group}: {option}: no such entry{where}", right)
    known = options(name) if name in GROUPS else GROUPS
    way = suggestion(option if name in GROUPS else name, known) or f"choose from {enumerate_names(sorted(known))}"
    return fault(name or "defaults", option, f"no such option{where}", way)


def _place(file: str, key: str) -> str:
    path = groups.CONF / f"{file}.yaml"
    return place(path, file, key) if path.exists() else ""


def _joined(rule: str, way_out: str) -> str:
    return f"{rule}; {way_out}" if way_out else rule
