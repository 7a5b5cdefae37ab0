"""Secrets have no place in a config: everything in it is written to the run directory, and passed on to loggers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from training_hub.errors import fault
from training_hub.redaction import HIDDEN, NAMED, Known, environment, redacted, secret_in, variable_in

_RULE = "and would be written to the run directory"
_WAY = "give it by the environment, e.g. HF_TOKEN or MLFLOW_TRACKING_PASSWORD"


def secret_faults(config: Mapping[str, Any], by_user: Collection[str], typed: Sequence[str] = ()) -> list[str]:
    """What holds a secret, as a key or as a value, one line each; the secret itself is not shown.

    config: resolved. by_user: the keys that the user set; the others may hold a word that is some variable's value as
    well. typed: overrides, which are written too.
    """
    known = environment()
    faults = [_fault(key, *found) for key, text in _texts(config, "") if (found := _found(key, text, by_user, known))]
    return list(dict.fromkeys(faults)) or refusals(typed)


def refusals(words: Iterable[str]) -> list[str]:
    """The same for words of the command line."""
    known = environment()
    found = ((word, _secret(word, known, whole_words=True)) for word in words)
    return [_fault(word.partition("=")[0], *secret) for word, secret in found if secret]


def _found(key: str, text: str, by_user: Collection[str], known: Known) -> tuple[str, str] | None:
    if text.strip() and any(map(NAMED.fullmatch, key.split("."))):
        return "holds a password or a key", _WAY
    whose = any(key == each or key.startswith(f"{each}.") for each in by_user)
    return _secret(text, known, whose) or _secret(key, known, whose)


def _secret(text: str, known: Known, whole_words: bool) -> tuple[str, str] | None:
    if variable := variable_in(text, known, whole_words):
        return f"holds {variable}", f"drop it, {variable} is enough"
    kind = secret_in(text)
    return (f"holds {kind}", _WAY) if kind else None


def _fault(key: str, what: str, way_out: str) -> str:
    return fault(redacted(key), HIDDEN, f"{what}, {_RULE}", way_out)


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text and number in a config with its dotted path; of what has neither, the path alone may tell."""
    if isinstance(node, Mapping | list):
        for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from _texts(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, "" if node is None or isinstance(node, bool) else str(node)
