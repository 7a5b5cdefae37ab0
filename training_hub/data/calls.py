"""Arguments of tool calls that are given as JSON text, as OpenAI's API has them, while most templates want objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from training_hub.data.marks import Message
from training_hub.data.turns import TemplateRefuses
from training_hub.data.values import decoded


def readable(messages: Sequence[Message], render: Callable[[Sequence[Message]], str]) -> list[Message]:
    """The messages with their calls' arguments in the form that the template writes as JSON once.

    A template that encodes the arguments itself would encode a text a second time; so text becomes the object that it
    stands for, unless the template writes it letter by letter. render: the text of a conversation, or TemplateRefuses.
    """
    texts = list(_texts(messages))
    if not texts or _writes(texts, messages, render):
        return list(messages)
    return [_with_objects(message) for message in messages]


def _writes(texts: Sequence[str], messages: Sequence[Message], render: Callable[[Sequence[Message]], str]) -> bool:
    """Whether the template writes all those texts as they are, and not as JSON strings."""
    try:
        text = render(messages)
    except TemplateRefuses:
        return False
    return all(each in text and f'"{each}"' not in text for each in texts)


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    """The arguments that are JSON text of an object."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            arguments = call.get("function", call).get("arguments")
            if isinstance(arguments, str) and isinstance(decoded(arguments), dict):
                yield arguments.strip()


def _with_objects(message: Message) -> Message:
    calls = message.get("tool_calls")
    return message | {"tool_calls": [_with_object(call) for call in calls]} if calls else message


def _with_object(call: dict[str, Any]) -> dict[str, Any]:
    if "function" in call:
        return call | {"function": _with_object(call["function"])}
    found = decoded(call.get("arguments"))
    return call | {"arguments": found} if isinstance(found, dict) else call
