"""The data set of the quickstart: every row is a chat in the house style that its README promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "quickstart"
ANSWER = re.compile(
    r"[^\n]+[.:]\n"
    r"Do this: [^\n]+\.\n"
    r"\[Sprigwell Care: (water|light|pods|food|app|power|cleaning|warranty)\]"
)


def read(name: str) -> list[list[dict[str, Any]]]:
    return [json.loads(line)["messages"] for line in (FOLDER / name).read_text().splitlines()]


@pytest.fixture(scope="module", params=["train.jsonl", "eval.jsonl"])
def conversations(request: pytest.FixtureRequest) -> list[list[dict[str, Any]]]:
    return read(request.param)


def test_user_and_assistant_take_turns(conversations: list[list[dict[str, Any]]]) -> None:
    for messages in conversations:
        assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2)


def test_every_answer_keeps_the_house_style(conversations: list[list[dict[str, Any]]]) -> None:
    for messages in conversations:
        for message in messages[1::2]:
            assert ANSWER.fullmatch(message["content"]), message["content"]


def test_no_held_out_question_is_trained_on() -> None:
    asked = {messages[0]["content"] for messages in read("train.jsonl")}
    held_out = [messages[0]["content"] for messages in read("eval.jsonl")]
    assert len(held_out) == len(set(held_out)) == 12
    assert asked.isdisjoint(held_out)


def test_no_question_is_trained_on_twice() -> None:
    asked = [messages[0]["content"] for messages in read("train.jsonl")]
    assert len(asked) == len(set(asked))
