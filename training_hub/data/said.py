"""Make sure that everything the assistant said is in the trained text: its words, and every call with its arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from training_hub.data.conversation import REASONING_KEYS
from training_hub.data.values import decoded

_CLOSE_THINK = "</think>"


def missing(trained: str, messages: Sequence[dict[str, Any]]) -> str | None:
    """Something said that is not in the trained text, or not as often as it was said; None where all is there.

    Reasoning need not be there: templates leave it out of turns that are over.
    """
    needed = [said for message in messages for said in _said(message)]
    thoughts = [message[key] for message in messages for key in REASONING_KEYS if isinstance(message.get(key), str)]
    written = needed + [thought for thought in thoughts if thought.strip() and thought.strip() in trained]
    for said in dict.fromkeys(needed):
        if not any(_enough(trained, form, written) for form in _forms(said)):
            return said
    return None


def _enough(trained: str, said: str, written: Sequence[str]) -> bool:
    """Whether a text occurs as often as it was said, be it within something longer."""
    count = trained.count(said)
    return count > 0 and (count >= len(written) or count >= sum(other.count(said) for other in written))


def _said(message: dict[str, Any]) -> Iterator[str]:
    content = message.get("content") or ""
    for part in content if isinstance(content, list) else [{"text": content}]:
        if words := part["text"].rpartition(_CLOSE_THINK)[2].strip():
            yield words
    for call in message.get("tool_calls") or []:
        function = call.get("function", call)
        yield function["name"]
        yield from _leaves(decoded(function.get("arguments")))


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers in the arguments of a call; what is true, false or null has many spellings."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)


def _forms(said: str) -> set[str]:
    """A text as it is, and as it stands in JSON."""
    return {said, json.dumps(said)[1:-1], json.dumps(said, ensure_ascii=False)[1:-1]}
