"""Values: resolved, and judged by type and bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Set
from contextlib import suppress
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from training_hub.config.annotations import fits
from training_hub.config.composition import Composition
from training_hub.config.hanging import hanging, is_sound, is_whole
from training_hub.config.lookup import plain, resolution_fault
from training_hub.config.schema import Schema
from training_hub.errors import fault


class Entries:
    """The entries of a config, each resolved once; to be asked while its composition is `resolving`.

    texts: keys whose values are texts, so that a number there stands for its digits: `output_dir=5`.
    """

    def __init__(self, cfg: DictConfig, texts: Collection[str] = ()) -> None:
        self._cfg = cfg
        self._texts = frozenset(texts)
        self._nodes: dict[str, Any] = {"": cfg}
        self._known: dict[tuple[str, str], Any] = {}

    def value(self, path: str, key: str) -> Any:
        """An entry of the node at a path, "" for the root, as plain Python. OmegaConf's error where it has no value."""
        if path not in self._nodes:
            self._nodes[path] = OmegaConf.select(self._cfg, path)
        if (path, key) not in self._known:
            found = plain(self._nodes[path][key])
            self._known[path, key] = self._with_texts(found, f"{path}.{key}" if path else key)
        return self._known[path, key]

    def _with_texts(self, value: Any, key: str) -> Any:
        if key in self._texts:
            return as_text(value)
        if isinstance(value, dict):
            return {inner: self._with_texts(each, f"{key}.{inner}") for inner, each in value.items()}
        return value

    def config(self) -> dict[str, Any]:
        """The config as plain dicts and lists; entries that cannot be resolved are left out."""
        found: dict[str, Any] = {}
        for key in map(str, self._cfg):
            with suppress(OmegaConfBaseException):
                found[key] = self._whole(key)
        return found

    def _whole(self, key: str) -> Any:
        node = self._cfg._get_node(key)
        if not isinstance(node, DictConfig) or node._is_none() or node._is_missing() or node._is_interpolation():
            return self.value("", key)
        missing = {str(inner) for inner in node if OmegaConf.is_missing(node, inner)}
        return {inner: MISSING if inner in missing else self.value(key, inner) for inner in map(str, node)}


def root_values(cfg: DictConfig, schema: Schema, entries: Entries) -> tuple[dict[str, Any], list[str]]:
    """The root parameters, resolved, and the faults of those that cannot be."""
    values, faults = {}, []
    for key in sorted(schema.parameters):
        if cfg._get_node(key) is None or OmegaConf.is_missing(cfg, key):
            continue
        try:
            values[key] = entries.value("", key)
        except OmegaConfBaseException as error:
            faults.append(resolution_fault(key, error))
    return values, faults


def as_text(value: Any) -> Any:
    """A number as text, also in a list; anything else as it is."""
    if isinstance(value, list):
        return [as_text(each) for each in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def spell(cfg: DictConfig, typed: Mapping[str, str], texts: Set[str]) -> None:
    """Put what was typed in place of a number where a text is wanted: `model_path=1e5` is a folder of that name."""
    for key in texts & typed.keys():
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        inner = node._get_node(name) if isinstance(node, DictConfig) else None
        value = inner._value() if inner is not None else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            node[name] = typed[key].strip()


def wrong_values(owner: type[BaseModel], values: Mapping[str, Any], prefix: str) -> list[str]:
    """Wrong types and bounds of one owner's values."""
    names = {(each.alias or name) for name, each in owner.model_fields.items()}
    mine = {key: value for key, value in values.items() if key in names}
    faults = [fault(prefix + key, value, why) for key, value in mine.items() if (why := impossible(value))]
    if faults:
        return faults + wrong_values(owner, {key: each for key, each in mine.items() if not impossible(each)}, prefix)
    try:
        owner.model_validate(mine)
    except ValidationError as error:
        rules: dict[str, list[str]] = {}
        for each in error.errors():
            if each["type"] != "missing":
                rules.setdefault(str(each["loc"][0]), []).append(_rule(each["msg"]))
        return [
            fault(prefix + key, mine[key], " or ".join(dict.fromkeys(texts)).replace("or must be", "or"))
            for key, texts in rules.items()
        ]
    return []


def _rule(message: str) -> str:
    """Pydantic's sentence in ours: "Input should be greater than 0" -> "must be greater than 0"."""
    if message.startswith("String should have at least 1 character"):
        return "is empty"
    if message.startswith("List should have at least 1 item"):
        return "must have at least 1 item"
    message = message.removeprefix("Value error, ").replace("a valid dictionary", "settings, e.g. {a: 1}")
    text = message.replace("Input should be", "must be").replace("a valid integer", "a whole number")
    text = text.replace("a valid number", "a number").replace("a valid string", "text")
    return text.replace("a valid boolean", "true or false").replace("a valid list", "a list, e.g. [a,b]")


def wrong_nodes(cfg: DictConfig, composition: Composition, faulty: set[str], entries: Entries) -> list[str]:
    """Wrong values in the config groups' nodes, and interpolations that cannot be resolved.

    faulty: keys that have a fault of their own or hang on one; they are not judged.
    """
    schema, faults = composition.schema, list[str]()
    unresolved: dict[str, str] = {}
    for path in dict.fromkeys([*schema.nodes, *schema.libraries]):
        node, values = OmegaConf.select(cfg, path), {}
        if not isinstance(node, DictConfig):
            continue
        for key in map(str, node):
            if is_whole(f"{path}.{key}", faulty):
                try:
                    values[key] = entries.value(path, key)
                except OmegaConfBaseException as error:
                    unresolved[f"{path}.{key}"] = resolution_fault(f"{path}.{key}", error)
        if path in schema.nodes:
            faults += wrong_values(schema.nodes[path], values, f"{path}.") + _absent(
                schema.nodes[path], node, path, composition
            )
        if path in schema.libraries:
            faults += _wrong_arguments(values, composition, path, schema.libraries[path] or {})
    hang = hanging(cfg, {re.split("[=:]", text, maxsplit=1)[0] for text in faults})
    return list(dict.fromkeys([*faults, *(text for key, text in unresolved.items() if is_sound(key, hang))]))


def _absent(owner: type[BaseModel], node: DictConfig, path: str, composition: Composition) -> list[str]:
    """Settings that the class of a node reads and that the node lacks: the class is not the option's own."""
    needed = [each.alias or name for name, each in owner.model_fields.items() if each.is_required()]
    needed = [key for key in needed if f"~{path}.{key}" not in composition.overrides]  # that is a fault of its own
    kind = node.get("_target_") or owner.__name__
    return [f"{path}.{key}: {kind} needs it; add {path}.{key}=..." for key in needed if key not in node]


def _wrong_arguments(
    values: Mapping[str, Any], composition: Composition, path: str, arguments: Mapping[str, str]
) -> list[str]:
    """Arguments that the user passes straight to the library, against its annotations."""
    faults = []
    for key in sorted(composition.by_user):
        name = key.removeprefix(f"{path}.")
        if key == name or name not in values:
            continue
        value, annotation = values[name], arguments.get(name)
        if annotation and not fits(value, annotation):
            faults.append(fault(key, composition.typed.values.get(key, value), f"the library wants {annotation}"))
        elif why := impossible(value):
            faults.append(fault(key, composition.typed.values.get(key, value), why))
    return faults


def impossible(value: Any) -> str | None:
    """Why no library computes with a number, or with one inside a list or an object; None where there is none such."""
    if isinstance(value, Mapping | list):
        inner = value.values() if isinstance(value, Mapping) else value
        return next(filter(None, map(impossible, inner)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    return "must fit in 64 bits" if type(value) is int and not -(2**63) <= value < 2**63 else None
