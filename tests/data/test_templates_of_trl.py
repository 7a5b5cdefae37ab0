"""What is trained under the original chat templates that TRL ships, beside its own versions that mark generations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from training_hub.data.chat import ChatTemplate, TemplateRefuses

pytestmark = pytest.mark.needs("trl")

SPECIAL = re.compile(r"<[|\uff5c][^<>\s'\"]*?[|\uff5c]>|</?s>|<turn\|>|<(?:start|end)_of_turn>|<end_of_utterance>")
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>"}
CONVERSATIONS = {
    "short": ["Hi there", "Hello!"],
    "long": ["Hi", "Hello,\n\nyou.", "Hi again", "Hello again!", "And again", "Bye."],
}


def pairs() -> list[Path]:
    from importlib.util import find_spec

    found = find_spec("trl")
    if found is None or found.origin is None:
        return []
    return sorted((Path(found.origin).parent / "chat_templates").glob("*_training.jinja"))


def spans(source: str, messages: list[dict[str, Any]]) -> tuple[str, set[int]]:
    """The text and the numbers of its trained characters that are no white space."""
    template = ChatTemplate(source, VARIABLES, set(SPECIAL.findall(source)) | {"</s>"})
    text, found, _ = template.spans(messages, None, lambda number: messages[number]["role"] == "assistant")
    return text, {place for start, end in found for place in range(start, end) if not text[place].isspace()}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_what_we_find_lies_within_what_the_marks_say_and_holds_every_word(conversation: str) -> None:
    turns = CONVERSATIONS[conversation]
    messages = [{"role": ("user", "assistant")[number % 2], "content": words} for number, words in enumerate(turns)]
    compared = 0
    for marked in pairs():
        original = marked.with_name(marked.name.replace("_training", ""))
        try:
            text, ours = spans(original.read_text(), messages)
            same, theirs = spans(marked.read_text(), messages)
        except TemplateRefuses:
            continue
        if text != same:
            continue
        compared += 1
        assert ours <= theirs, original.name
        trained = "".join(text[place] for place in sorted(ours))
        assert all("".join(words.split()) in trained for words in turns[1::2]), original.name
    assert compared >= 8
