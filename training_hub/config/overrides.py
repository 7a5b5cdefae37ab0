"""Python values as overrides in Hydra's grammar, so that a Python call takes the command line's path."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Mapping
from typing import Any

from training_hub.config.home import literal
from training_hub.config.instances import settings_of
from training_hub.errors import ConfigError, fault

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_TEXT = {"null", "true", "false", "nan", "inf"}


def override_texts(values: Mapping[str, Any], groups: set[str]) -> list[str]:
    """`{"lr": 1e-5, "recipe": {"optim": "sgd"}}` -> `["lr=1e-05", "recipe.optim='sgd'"]`.

    A text or a list of texts for a config group chooses its option. ConfigError for a value that YAML cannot hold.
    """
    texts = []
    for name, value in values.items():
        if name == "callbacks" and value is not None:
            value, nodes = settings_of(value)
            texts += [f"callbacks.{key}={_text(f'callbacks.{key}', node)}" for key, node in nodes.items()]
            if not value:
                continue
        if name in groups and isinstance(value, Mapping):
            texts += [f"{name}.{key}={_text(f'{name}.{key}', inner)}" for key, inner in value.items()]
        elif name in groups:
            texts.append(f"{name}={_options(name, value)}")
        else:
            texts.append(f"{name}={_text(name, value)}")
    return texts


def _options(group: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return "null" if value is None else value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return "[" + ",".join(value) + "]"
    raise ConfigError(
        fault(group, value, "no name of an option", "give a text, a list of texts, or a dict of settings")
    )


def _text(name: str, value: Any) -> str:
    if hasattr(value, "tolist"):  # numpy's and torch's numbers, truths and arrays
        value = value.tolist()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, numbers.Real):  # fractions too, whose repr is no number
        return repr(int(value) if isinstance(value, numbers.Integral) else float(value))
    if isinstance(value, str | os.PathLike):
        return _quoted(os.fspath(value))
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(name, each) for each in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(name, key)}:{_text(name, each)}" for key, each in value.items()) + "}"
    kind = type(value).__name__
    raise ConfigError(fault(name, kind, f"{kind} cannot be written to a config", "give text, numbers, lists or dicts"))


def _key(name: str, key: object) -> str:
    """Hydra's grammar has no quotes for keys, and reads null, true and the like as what they look like."""
    if isinstance(key, str) and _KEY.fullmatch(key) and key.lower() not in _NOT_TEXT:
        return key
    raise ConfigError(
        fault(name, repr(key), "such a key cannot be written to a config", "use letters, digits and _-./")
    )


def _quoted(text: str) -> str:
    """Hydra's quoting: backslashes count only before a quote and at the end. `${` is text here, not a reference."""
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), literal(text))
    return f"'{escaped}'"
