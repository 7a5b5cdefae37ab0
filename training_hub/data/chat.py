"""Render conversations with a chat template and find, in the text, the characters that are trained.

A template that marks the assistant's words with `{% generation %}` decides itself. For any other one the conversation
is rendered a second time with a private character around everything that each message says. Where taking these marks
out again gives back the first text, letter by letter, their places are exact. The assistant's turn then begins where
the prompt for it, rendered on its own, ends, and reaches through the template's end-of-turn token. So the text is
always that of the template rendered as a whole, whatever it drops, strips, adds or merges.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from training_hub.data.formats import REASONING_KEYS
from training_hub.data.skeleton import Skeleton, Span, plain_words

Message = dict[str, Any]

_RENDER: Any = render_jinja_template  # whose annotation is not what it returns
_WORDS = 0x100000  # private use: the words of message i are marked with chr(_WORDS + i),
_NAMES = 0xF0000  # the names of the functions that it calls with chr(_NAMES + i)
_MARK = re.compile("([\U000f0000-\U000ffffd\U00100000-\U0010fffd])")
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_CLOSE_THINK = "</think>"


class TemplateRefuses(Exception):
    """The chat template cannot render a conversation, or not so that the trained words can be found; says why."""


class ChatTemplate:
    """One chat template with the tokenizer's special tokens as its variables.

    special: contents of the special tokens, among which the end of a turn is looked for.
    """

    def __init__(self, source: str, variables: dict[str, Any], special: Iterable[str]) -> None:
        self.source = source
        self.variables = variables
        self.marks_generation = bool(_GENERATION.search(source))
        self._special = _alternatives(special)
        self._prompts: dict[tuple[str, ...], str] = {}
        self._skeletons: dict[tuple[Any, ...], Skeleton] = {}

    def text(self, messages: Sequence[Message], tools: Any = None, prompt: bool = False) -> str:
        """The whole conversation as text; with prompt=True followed by the prompt for the assistant's next turn."""
        return self._render(messages, tools, prompt=prompt)[0]

    def spans(self, messages: Sequence[Message], tools: Any, trained: Callable[[int], bool]) -> tuple[str, list[Span]]:
        """Render a conversation and return its text and the spans that are trained, in order.

        trained: whether the message of that number is. Raises TemplateRefuses. Of plain conversations the first of
        each shape teaches where the words of the others stand.
        """
        chosen = [number for number in range(len(messages)) if trained(number)]
        words = None if tools else plain_words(messages)
        if words is None:
            return self._spans(messages, tools, chosen)
        shape = (*(message["role"] for message in messages), *chosen)
        if skeleton := self._skeletons.get(shape):
            text = self.text(messages)
            found = skeleton.fit(text, words)
            if found is not None:
                return text, found
        text, spans = self._spans(messages, tools, chosen)
        plain, places = self._places(messages)
        if plain == text and (learnt := Skeleton.learn(text, words, places, chosen, spans)):
            self._skeletons[shape] = learnt
        return text, spans

    def _spans(self, messages: Sequence[Message], tools: Any, chosen: list[int]) -> tuple[str, list[Span]]:
        """Render a conversation, find the spans of the chosen messages and make sure of them."""
        assistants = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        if self.marks_generation and chosen == assistants:
            text, spans = self._render(messages, tools, track=True)
            sure = chosen if len(spans) >= len(chosen) else chosen[-1:]  # a template may leave turns out on purpose
        else:
            text = self.text(messages, tools)
            spans = self._find(text, messages, tools, chosen)
            sure = [number for number in chosen if number in assistants]
        _verify(text, spans, [messages[number] for number in sure])
        return text, spans

    def _render(
        self, messages: Sequence[Message], tools: Any, prompt: bool = False, track: bool = False
    ) -> tuple[str, list[Span]]:
        """The text, and with track=True the spans that the template marks."""
        known = [{key: value for key, value in message.items() if value is not None} for message in messages]
        try:
            texts, spans = _RENDER(
                [known],
                tools=tools,
                chat_template=self.source,
                return_assistant_tokens_mask=track,
                add_generation_prompt=prompt,
                **self.variables,
            )
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise TemplateRefuses(f"the chat template refuses this row: {error}") from error
        return texts[0], spans[0] if track else []

    def _find(self, text: str, messages: Sequence[Message], tools: Any, chosen: list[int]) -> list[Span]:
        """The spans of the chosen messages in the text of a template that marks nothing itself."""
        plain, places = self._places(messages, tools)
        if plain != text:
            return self._find_by_prefix(text, messages, tools, chosen)
        return [
            self._turn(text, messages, tools, number, places)
            if messages[number]["role"] == "assistant"
            else places[number]
            for number in chosen
            if number in places
        ]

    def _places(self, messages: Sequence[Message], tools: Any = None) -> tuple[str, dict[int, Span]]:
        """Render with marks and take them out again: the text, and the place of each message's words in it.

        The name of a function is marked apart: a template may repeat it in the tool's answer, which is not counted.
        """
        pieces = _MARK.split(self.text([_marked(each, number) for number, each in enumerate(messages)], tools))
        names = Counter({number: 2 * len(each.get("tool_calls") or ()) for number, each in enumerate(messages)})
        places: dict[int, Span] = {}
        position = 0
        for piece, mark in zip(pieces[::2], pieces[1::2], strict=False):
            position += len(piece)
            number = ord(mark) - (_WORDS if ord(mark) >= _WORDS else _NAMES)
            if ord(mark) < _WORDS:
                names[number] -= 1
            if ord(mark) >= _WORDS or names[number] >= 0:
                places[number] = (places.get(number, (position, 0))[0], position)
        return "".join(pieces[::2]), places

    def _turn(self, text: str, messages: Sequence[Message], tools: Any, number: int, places: dict[int, Span]) -> Span:
        """An assistant's turn: from the end of the prompt for it through the end-of-turn token."""
        first, last = places[number]
        before = max((other for other in places if other < number), default=None)
        after = min((start for other, (start, _) in places.items() if other > number), default=len(text))
        ended = self._ends.search(text, last, after)
        start = 0 if before is None else places[before][1]
        start += self._prompt_length(text[start:first], messages[:number], tools, before)
        return start, ended.end() if ended else last

    def _prompt_length(self, gap: str, messages: Sequence[Message], tools: Any, before: int | None) -> int:
        """How much of the text between message `before`, the last that says anything, and the next is its prompt."""
        if before is not None:
            key = tuple(message["role"] for message in messages[before:])
            prompt = self._prompts.get(key, "")
            if not prompt or not gap.startswith(prompt):
                prompt = self._prompts[key] = self._prompt(messages, tools)
            if prompt:
                return _common_length(prompt, gap)
        opened = gap.rfind(self._header) if self._header else -1
        return opened + len(self._header) if opened >= 0 else len(gap)

    @cached_property
    def _header(self) -> str:
        """What the template adds to a conversation when it asks for the assistant's turn."""
        probe = [{"role": "user", "content": "a"}]
        try:
            return self.text(probe, prompt=True).removeprefix(self.text(probe))
        except TemplateRefuses:
            return ""

    def _prompt(self, messages: Sequence[Message], tools: Any) -> str:
        """What the template writes between the last words and the assistant's next ones; "" where it cannot."""
        try:
            text = self.text([_marked(m, number) for number, m in enumerate(messages)], tools, prompt=True)
        except TemplateRefuses:
            return ""
        return _MARK.split(text)[-1]

    @cached_property
    def _ends(self) -> re.Pattern[str]:
        """The special tokens with which this template ends an assistant's turn, learnt from small conversations.

        They are what follows the same words at the end of a conversation and within it: so neither the end of the
        whole text nor the start of the next turn is taken for the end of the turn.
        """
        user: Message = {"role": "user", "content": "a"}
        answer: Message = {"role": "assistant", "content": "b"}
        call: Message = {"type": "function", "id": "a12345678", "function": {"name": "f", "arguments": {"a": "b"}}}
        asks: Message = {"role": "assistant", "tool_calls": [call]}
        result: Message = {"role": "tool", "name": "f", "tool_call_id": "a12345678", "content": "c"}
        found: set[str] = set()
        for turns, following in (([user, answer], [user, answer]), ([user, asks], [result, answer])):
            at_end, within = self._after_answer(turns), self._after_answer([*turns, *following])
            shared = [one for one, other in zip(at_end, within, strict=False) if one == other]
            found |= {"".join(shared)} if shared else {*at_end[:1], *within[:1]}
        return _alternatives(found) if found else self._special

    def _after_answer(self, messages: Sequence[Message]) -> list[str]:
        """The special tokens that directly follow each other after message 1 of a conversation."""
        try:
            text, places = self._places(messages)
        except TemplateRefuses:
            return []
        found = self._special.search(text, *places[1][1:], places.get(2, (len(text),))[0]) if 1 in places else None
        tokens = []
        while found:
            tokens.append(found.group())
            found = self._special.match(text, found.end())
        return tokens

    def _find_by_prefix(self, text: str, messages: Sequence[Message], tools: Any, chosen: list[int]) -> list[Span]:
        """For a template that changes what it is given: an assistant's turn is what its prompt lacks."""
        spans = []
        for number in chosen:
            before = self.text(messages[:number], tools, prompt=True)
            through = self.text(messages[: number + 1], tools)
            if messages[number]["role"] != "assistant" or not text.startswith(before):
                raise TemplateRefuses("the chat template changes the words, so that the trained ones cannot be found")
            said = text[len(before) : _common_length(through, text)]
            ends = list(self._ends.finditer(said))
            spans.append((len(before), len(before) + (ends[-1].end() if ends else len(said.rstrip()))))
        return spans


def _common_length(one: str, other: str) -> int:
    """Length of the longest common beginning of two texts."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _alternatives(tokens: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the tokens, the longest first; one that finds nothing where there are none."""
    return re.compile("|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True)) or r"(?!)")


def _marked(message: Message, number: int) -> Message:
    """A copy of a message with its marks around all that it says."""
    mark = chr(_WORDS + number)
    words = {key: _mark(message[key], mark) for key in ("content", *REASONING_KEYS) if message.get(key)}
    if message.get("tool_calls"):
        words["tool_calls"] = [_marked_call(call, number) for call in message["tool_calls"]]
    return message | words


def _marked_call(call: dict[str, Any], number: int) -> dict[str, Any]:
    if "function" in call:
        return call | {"function": _marked_call(call["function"], number)}
    name = _mark(call["name"], chr(_NAMES + number))
    return call | {"name": name, "arguments": _mark(call.get("arguments"), chr(_WORDS + number))}


def _mark(value: Any, mark: str) -> Any:
    """Put the mark around every text in a value; inside its outer white space, which a template may strip."""
    if isinstance(value, str):
        core = value.strip()
        start = len(value) - len(value.lstrip())
        return value[:start] + mark + core + mark + value[start + len(core) :] if core else value
    if isinstance(value, list):
        return [_mark(each, mark) for each in value]
    if isinstance(value, dict):
        return {key: each if key == "type" else _mark(each, mark) for key, each in value.items()}
    return value


def _verify(text: str, spans: list[Span], messages: list[Message]) -> None:
    """Raise TemplateRefuses where something that the assistant said is not in a trained span."""
    trained = "\0".join(text[start:end] for start, end in spans)
    for message in messages:
        for said in _said(message):
            if said not in trained:
                raise TemplateRefuses(f"the chat template leaves out or changes what the assistant says: {said[:60]!r}")


def _said(message: Message) -> list[str]:
    """What must be found in a trained turn. Reasoning is not: templates leave it out of turns that are over."""
    content = message.get("content") or ""
    parts = [part["text"] for part in content] if isinstance(content, list) else [content]
    names = [call.get("function", call)["name"] for call in message.get("tool_calls") or []]
    return [part.rpartition(_CLOSE_THINK)[2].strip() for part in parts] + names
