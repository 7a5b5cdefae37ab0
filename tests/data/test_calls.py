"""Arguments of tool calls given as JSON text: written once, whatever the template makes of texts and objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.data.prepare import make_encoder

ARGUMENTS = {"city": "Oslo", "days": 2, "note": 'say "hi"'}
TEXT = json.dumps(ARGUMENTS)
CALL = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}CALL{% endfor %}</s>{% endfor %}"
)
ENCODES = CALL.replace("CALL", "{{ c.function.name }} {{ c.function.arguments | tojson }}")
WRITES = CALL.replace("CALL", "{{ c.function.name }} {{ c.function.arguments }}")
JOINS = CALL.replace("CALL", "{{ c.function.name + ' ' + c.function.arguments }}")
WALKS = CALL.replace(
    "CALL", "{{ c.function.name }} {% for k, v in c.function.arguments.items() %}{{ k }}={{ v }} {% endfor %}"
)


@pytest.fixture
def text(tokenizer: Any, node: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[[str, Any], str]:
    """What a template trains of a call with the given arguments."""

    def render(template: str, arguments: Any) -> str:
        (tmp_path / "t.jinja").write_text(template)
        encoder = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
        call = {"type": "function", "function": {"name": "weather", "arguments": arguments}}
        said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}]
        found = encoder.conversation(said, {})
        return "".join(found.text[start:end] for start, end in found.spans)

    return render


@pytest.mark.parametrize("template", [ENCODES, WALKS])
def test_a_template_that_wants_an_object_gets_one(text: Callable[[str, Any], str], template: str) -> None:
    assert text(template, TEXT) == text(template, ARGUMENTS)


def test_arguments_are_not_encoded_twice(text: Callable[[str, Any], str]) -> None:
    assert "weather " + TEXT in text(ENCODES, TEXT)
    assert "weather {}" in text(ENCODES, "{}")


@pytest.mark.parametrize("template", [WRITES, JOINS])
def test_a_template_that_writes_texts_as_they_are_gets_the_text(text: Callable[[str, Any], str], template: str) -> None:
    assert "weather " + TEXT in text(template, TEXT)


def test_text_that_is_no_object_stays_text(text: Callable[[str, Any], str]) -> None:
    assert "weather just so" in text(WRITES, "just so")
