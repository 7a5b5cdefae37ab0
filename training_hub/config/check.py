"""All faults of a composed config at once: unknown, missing, wrong, out of bounds, or used by nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from training_hub.config.composition import Composition
from training_hub.config.hanging import hanging
from training_hub.config.unknown import deleted, derived, reserved, unknown
from training_hub.config.values import Entries, root_values, spell, wrong_nodes, wrong_values
from training_hub.errors import enumerate_names, fault
from training_hub.params import beside


def check(composition: Composition, allow_missing: bool = False) -> list[str]:
    """Every fault, one line each, in the project's grammar; [] for a sound config."""
    return _faults(composition, _entries(composition), allow_missing)


def check_and_resolve(composition: Composition, allow_missing: bool = False) -> tuple[list[str], dict[str, Any]]:
    """Every fault, and the config as plain dicts and lists; entries that cannot be resolved are left out of it."""
    entries = _entries(composition)
    faults = _faults(composition, entries, allow_missing)
    with composition.resolving():
        return faults, entries.config()


def faulty_keys(composition: Composition, faults: Iterable[str]) -> set[str]:
    """The keys that faults speak of, dotted, and all that hang on one of them."""
    named = [re.split(r"[=:]", text, maxsplit=1)[0] for text in faults]
    return hanging(composition.cfg, {key.strip() for each in named for key in each.split(",")})


def _entries(composition: Composition) -> Entries:
    texts = composition.schema.texts
    spell(composition.cfg, composition.typed.values, texts)
    return Entries(composition.cfg, texts)


def _faults(composition: Composition, entries: Entries, allow_missing: bool) -> list[str]:
    schema = composition.schema
    if schema.unfit:  # whose parameters these are is then anyone's guess
        return list(schema.unfit)
    missing = missing_parameters(composition)
    faults = unknown(composition) + reserved(composition) + deleted(composition)
    faults += derived(composition)
    if missing and not allow_missing:
        given = " ".join(f"{name}=..." for name in missing)
        word = "parameters are" if len(missing) > 1 else "parameter is"
        faults.append(f"{enumerate_names(missing)}: required {word} missing; add {given}")
    with composition.resolving() as cfg:
        values, wrong = root_values(cfg, schema, entries)
        wrong += [text for owner in schema.params for text in wrong_values(owner, values, "")]
        faulty = schema.parameters - values.keys() | faulty_keys(composition, wrong)
        wrong += wrong_nodes(cfg, composition, hanging(cfg, faulty), entries)
    return faults + wrong + (doubled(composition) or unused(composition) or idle(composition, values))


def missing_parameters(composition: Composition) -> list[str]:
    """Required parameters that were not given."""
    cfg = composition.cfg
    return [str(key) for key in cfg if OmegaConf.is_missing(cfg, key)]


def doubled(composition: Composition) -> list[str]:
    """Parameters that the user set beside a setting that would follow them: one of the two would go unheard."""
    by_user = composition.by_user
    follows = {
        key: name for source in composition.sources if not source.is_users for key, name in source.follows.items()
    }
    return [
        fault(name, composition.shown(name), f"{key}={composition.shown(key)} is set as well", "keep one of the two")
        for key, name in sorted(follows.items())
        if {key, name} <= by_user and "." in key
    ]


def unused(composition: Composition) -> list[str]:
    """Parameters that the user set and that nothing of what was chosen refers to."""
    cfg, parameters = composition.cfg, composition.schema.parameters
    used = set().union(*(composition.used[key] for key in _nodes(cfg)))
    pending = list(used & parameters)
    while pending:  # a parameter whose default refers to another one carries that one along
        further = composition.used.get(pending.pop(), set()) & parameters - used
        used |= further
        pending += further
    choices = composition.choices
    pair = f"algorithm={choices.get('algorithm')} on backend={choices.get('backend')}"
    own = {"output_dir", "overwrite", "resume", "strict", "trust", "verbose"}  # read by the program itself
    return [
        fault(key, composition.shown(key), f"{pair} does not use it{composition.place_of(key)}", "drop it")
        for key in sorted(composition.by_user & parameters - used - own)
    ]


def idle(composition: Composition, values: Mapping[str, Any]) -> list[str]:
    """Parameters that the user set and that have no effect without others, none of which is set."""
    fields = {name: field for owner in composition.schema.params for name, field in owner.model_fields.items()}
    needs = {name: beside(field) for name, field in fields.items() if name in composition.by_user}
    return [
        fault(name, composition.shown(name), "has no effect by itself", f"add {' or '.join(others)}")
        for name, others in sorted(needs.items())
        if others and values.get(name) is not None
        if not any(values.get(other) or composition.cfg.get(other) for other in others)
    ]


def _nodes(cfg: DictConfig) -> set[str]:
    return {str(key) for key in cfg if isinstance(cfg._get_node(key), DictConfig)}
