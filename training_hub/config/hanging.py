"""What hangs on a faulty value: it is not judged, and no check is run that reads it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

_REFERENCE = re.compile(r"\$\{\s*([.]*)([A-Za-z_][\w.]*)\s*\}")


def hanging(cfg: DictConfig, faulty: Iterable[str]) -> set[str]:
    """Faulty keys, dotted, and every key whose value refers to one of them, at any remove."""
    found = set(faulty)
    if not found:
        return found
    refers = dict(_references(cfg, ""))
    while more := {
        key for key, others in refers.items() if key not in found and not all(is_whole(each, found) for each in others)
    }:
        found |= more
    return found


def is_sound(key: str, faulty: Collection[str]) -> bool:
    """Whether neither a key nor a node around it is faulty; one inside it may be."""
    parts = key.split(".")
    return not any(".".join(parts[:end]) in faulty for end in range(1, len(parts) + 1))


def is_whole(key: str, faulty: Collection[str]) -> bool:
    """Whether nothing inside it is faulty either."""
    return is_sound(key, faulty) and not any(each.startswith(f"{key}.") for each in faulty)


def _references(node: DictConfig, path: str) -> Iterator[tuple[str, set[str]]]:
    for name in map(str, node):
        inner: Any = node._get_node(name)
        key = f"{path}{name}"
        if isinstance(inner, DictConfig) and isinstance(inner._value(), dict):
            yield from _references(inner, f"{key}.")
        else:
            text = str(OmegaConf.to_container(inner) if OmegaConf.is_config(inner) else inner)
            if others := {_absolute(dots, name, key) for dots, name in _REFERENCE.findall(text)}:
                yield key, others


def _absolute(dots: str, name: str, key: str) -> str:
    """`${.requires}` in backend.python -> backend.requires."""
    return ".".join([*key.split(".")[: -len(dots)], name]) if dots else name
