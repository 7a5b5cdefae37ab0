"""Render conversations with a chat template and find, in the text, the characters that are trained.

The conversation is rendered a second time with a private character around everything that each message says
(`marks.py`). Where taking these marks out again gives back the first text, letter by letter, their places are exact,
and `turns.py` says where the turns around them begin and end. A template that marks the assistant's words with
`{% generation %}` decides itself, except for what the prompt for the assistant already holds. So the text is that of
the template rendered as a whole, whatever it drops, strips, adds or merges. Only at the end of an assistant's last
turn, a token that ends generation is added where the template writes none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from transformers.utils.chat_template_utils import render_jinja_template

from training_hub.data.limited import TooLong, limited
from training_hub.data.marks import Marker, Message, Places, take_out
from training_hub.data.said import missing
from training_hub.data.skeleton import Skeleton, Span, plain_words
from training_hub.data.turns import TemplateRefuses, Turn, Turns, common_length

__all__ = ["ChatTemplate", "Ending", "Found", "Message", "TemplateRefuses"]

_RENDERING_S = 30  # most that a row may take
_LONGEST = 50_000_000  # characters of a row
_RENDER: Any = render_jinja_template  # whose annotation is not what it returns
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_NO_END = "the chat template writes no token at the end of the assistant's turns"
_CHANGED = "the chat template changes the words, so that the trained ones cannot be found"


@dataclass(frozen=True)
class Ending:
    """What ends an assistant's turn.

    token: added after its last turn where the template writes none, "" for never; always: also where the template
    writes another one; stops: tokens that end generation, none where they are not known.
    """

    token: str = ""
    always: bool = False
    stops: frozenset[str] = frozenset()


class Found(NamedTuple):
    """A rendered conversation, its trained characters, and what is to be said about it."""

    text: str
    spans: list[Span]
    notes: tuple[str, ...] = ()


class _Learnt(NamedTuple):
    skeleton: Skeleton
    closes: bool
    notes: tuple[str, ...]


@dataclass
class _Looked:
    """Spans while they are looked for; unended: whether the last turn of the text lacks a token that ends it."""

    spans: list[Span]
    unended: bool = False
    notes: list[str] = field(default_factory=list)


class ChatTemplate:
    """One chat template with the tokenizer's special tokens as its variables.

    special: contents of the special tokens, among which the end of a turn is looked for.
    """

    def __init__(
        self, source: str, variables: dict[str, Any], special: Iterable[str], ending: Ending | None = None
    ) -> None:
        self.source = source
        self.variables = variables
        self.ending = ending or Ending()
        self.marks_generation = bool(_GENERATION.search(source))
        self._turns = Turns(self, special, self.ending.stops)
        self._learnt: dict[tuple[Any, ...], _Learnt] = {}

    def text(self, messages: Sequence[Message], tools: Any = None, prompt: bool = False, **variables: Any) -> str:
        """The whole conversation as text; with prompt=True followed by the prompt for the assistant's next turn."""
        return self._render(messages, tools, prompt=prompt, **variables)[0]

    def spans(self, messages: Sequence[Message], tools: Any, trained: Callable[[int], bool]) -> Found:
        """Render a conversation and find the spans that are trained, in order.

        trained: whether the message of that number is. Raises TemplateRefuses. Of plain conversations the first of
        each shape teaches where the words of the others stand.
        """
        chosen = [number for number in range(len(messages)) if trained(number)]
        words = None if tools else plain_words(messages)
        shape = (*(message["role"] for message in messages), *chosen)
        text = self.text(messages, tools)
        if words is not None and (learnt := self._learnt.get(shape)):
            spans = learnt.skeleton.fit(text, words)
            if spans is not None:
                return self._closed(text, spans, learnt.closes, learnt.notes)
        places = self._places(messages, tools)
        found = self._look(text, messages, tools, chosen, places)
        notes = tuple(dict.fromkeys(found.notes))
        if words is not None and places.text == text:
            skeleton = Skeleton.learn(text, words, places.hulls, chosen, found.spans)
            if skeleton:
                self._learnt[shape] = _Learnt(skeleton, found.unended, notes)
        return self._closed(text, found.spans, found.unended, notes)

    def _closed(self, text: str, spans: list[Span], unended: bool, notes: tuple[str, ...]) -> Found:
        """Add the token that ends generation where the last turn has none."""
        if not unended or not self.ending.token:
            return Found(text, spans, notes)
        start, end = spans[-1]
        return Found(text[:end] + self.ending.token, [*spans[:-1], (start, end + len(self.ending.token))], notes)

    def _render(
        self, messages: Sequence[Message], tools: Any, prompt: bool = False, track: bool = False, **variables: Any
    ) -> tuple[str, list[Span]]:
        """The text, and with track=True the spans that the template marks."""
        known = [{key: value for key, value in message.items() if value is not None} for message in messages]
        try:
            with limited(_RENDERING_S):
                texts, spans = _RENDER(
                    [known],
                    tools=tools,
                    chat_template=self.source,
                    return_assistant_tokens_mask=track,
                    add_generation_prompt=prompt,
                    **self.variables | variables,
                )
        except TooLong:
            raise TemplateRefuses(f"the chat template takes more than {_RENDERING_S} s for this row") from None
        except Exception as error:  # a template is a program: it divides by zero, nests without end, fills the memory
            if any("content" not in message for message in known):  # a template may want that of a call without any
                whole = [{"content": ""} | message for message in known]
                return self._render(whole, tools, prompt, track, **variables)
            raise TemplateRefuses(f"the chat template refuses this row: {_first_line(error)}") from error
        if len(texts[0]) > _LONGEST:
            raise TemplateRefuses(f"the chat template writes {len(texts[0]):,} characters for this row")
        return texts[0], spans[0] if track else []

    def _places(self, messages: Sequence[Message], tools: Any) -> Places:
        """Render with marks and take them out again."""
        marker = Marker()
        marked = [marker.message(number, message) for number, message in enumerate(messages)]
        return take_out(self.text(marked, tools), marker.pieces)

    def _look(self, text: str, messages: Sequence[Message], tools: Any, chosen: list[int], places: Places) -> _Looked:
        """Find the spans of the chosen messages and make sure that all of their words are in them."""
        assistants = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        exact = places.text == text
        if self.marks_generation and chosen == assistants:
            spans = self._render(messages, tools, track=True)[1]
            found = self._within_marks(messages, tools, spans, places) if exact else _Looked(spans)
            sure = [number for number in chosen if not exact or _is_marked(number, places, spans)]
        elif exact:
            found, sure = self._by_places(messages, tools, chosen, places), list(set(chosen) & set(assistants))
        else:
            found, sure = self._by_prefix(text, messages, tools, chosen), chosen
        if exact and (lost := [call for call in places.lost if call[0] in sure]):
            number, call = min(lost)
            name = messages[number]["tool_calls"][call]
            raise TemplateRefuses(f"the chat template leaves out a tool call: {name.get('function', name)['name']!r}")
        trained = "\0".join(text[start:end] for start, end in found.spans)
        if (said := missing(trained, [messages[number] for number in sorted(sure)])) is not None:
            raise TemplateRefuses(f"the chat template leaves out or changes what the assistant says: {said[:60]!r}")
        return found

    def _by_places(self, messages: Sequence[Message], tools: Any, chosen: list[int], places: Places) -> _Looked:
        found = _Looked([])
        for number in chosen:
            if number not in places.hulls:
                continue
            if messages[number]["role"] == "assistant":
                turn = self._turns.find(messages, tools, number, places)
                found.spans.append(turn.span)
                self._judge(found, turn, messages, number, places)
            else:
                found.spans.append(places.hulls[number])
        return found

    def _judge(self, found: _Looked, turn: Turn, messages: Sequence[Message], number: int, places: Places) -> None:
        """Note how a turn differs from what generation writes, and whether a token has to be added."""
        if turn.note:
            found.notes.append(turn.note)
        said = places.text[places.hulls[number][1] : turn.span[1]]
        if number + 1 == len(messages):
            self._judge_last(found, self._turns.specials(said)[-1:], places.text[turn.span[1] :])
        elif messages[number + 1]["role"] != "assistant" and not self._turns.specials(said):
            found.notes.append(_NO_END)

    def _judge_last(self, found: _Looked, last: list[str], rest: str) -> None:
        """The last turn: `last` is the token that ends it, `rest` what the template writes after it."""
        ending = self.ending
        stops = not ending.stops or bool(last and last[0] in ending.stops)
        found.unended = not (last and (stops or not ending.always))
        if found.unended and ((rest.strip() and not last) or not ending.token):
            found.unended = False
            found.notes.append(_NO_END)
        elif found.unended:
            found.notes.append(f"{ending.token} is added, and trained, at the end of the assistant's last turn")
        elif not stops:
            known = ", ".join(sorted(ending.stops))
            found.notes.append(f"the assistant's last turn ends with {last[0]}, and generation only with {known}")

    def _within_marks(self, messages: Sequence[Message], tools: Any, spans: list[Span], places: Places) -> _Looked:
        """The spans that the template marks, without what the prompt for the assistant already holds."""
        found = _Looked([])
        marked = {
            number: self._turns.find(messages, tools, number, places)
            for number in places.hulls
            if messages[number]["role"] == "assistant" and _is_marked(number, places, spans)
        }
        for start, end in spans:
            own = {number: turn for number, turn in marked.items() if _meet((start, end), places.hulls[number])}
            first = min((turn.span[0] for turn in own.values()), default=start)
            found.spans.append((min(max(start, first), end), end))
            if unmarked := places.text[first:start]:
                found.notes.append(f"the chat template does not mark {unmarked[:40]!r}, which generation has to write")
            for number, turn in own.items():
                self._judge(found, replace(turn, span=(start, end)), messages, number, places)
        return found

    def _by_prefix(self, text: str, messages: Sequence[Message], tools: Any, chosen: list[int]) -> _Looked:
        """For a template that changes what it is given: an assistant's turn is what its prompt lacks."""
        found = _Looked([])
        for number in chosen:
            before = self.text(messages[:number], tools, prompt=True)
            through = self.text(messages[: number + 1], tools)
            if messages[number]["role"] != "assistant" or not text.startswith(before):
                raise TemplateRefuses(_CHANGED)
            said = text[len(before) : common_length(through, text)]
            length = self._turns.last_special(said)
            found.spans.append((len(before), len(before) + (length or len(said.rstrip()))))
            if number + 1 == len(messages):
                self._judge_last(found, self._turns.specials(said)[-1:], text[found.spans[-1][1] :])
        return found


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _is_marked(number: int, places: Places, spans: Sequence[Span]) -> bool:
    """Whether a message is trained by the marks of a template, which may leave turns out on purpose, or not written."""
    return number not in places.hulls or any(_meet(span, places.hulls[number]) for span in spans)


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
