"""Where an assistant's turn begins and ends in a rendered conversation.

It begins where the prompt for it, rendered on its own, ends. It ends with the special tokens that follow its words both
at the end of a conversation and within one: neither the end of the whole text nor the next turn's header is part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from training_hub.data.marks import Marker, Message, Places, take_out
from training_hub.data.skeleton import Span

_TAG = re.compile(r"<[^<>\s]*>")
_SWITCHES = ("enable_thinking", "thinking")  # variables by which templates switch reasoning on and off
_USER: Message = {"role": "user", "content": "a"}
_SHOWN = 60


class TemplateRefuses(Exception):
    """The chat template cannot render a conversation, or not so that the trained words can be found; says why."""


class Renders(Protocol):
    """What is asked of a chat template here."""

    source: str

    def text(self, messages: Sequence[Message], tools: Any = None, prompt: bool = False, **variables: Any) -> str:
        """A conversation as text. Raises TemplateRefuses."""


@dataclass(frozen=True)
class Turn:
    """span: what is trained; ended: whether that includes a token that ends it; note: what is not as in generation."""

    span: Span
    ended: bool
    note: str | None = None


class Turns:
    """Finds turns in the texts of one template and remembers what it learnt.

    special: contents of the special tokens; stops: those that end generation.
    """

    def __init__(self, template: Renders, special: Iterable[str], stops: Iterable[str]) -> None:
        self._template = template
        self._special = _alternatives({*special, *stops})
        self._stops = frozenset(stops)
        self._prompts: dict[tuple[Any, ...], str] = {}
        self._ends: dict[tuple[Any, ...], tuple[int, bool]] = {}

    def find(self, messages: Sequence[Message], tools: Any, number: int, places: Places) -> Turn:
        """The turn of one assistant's message. Raises TemplateRefuses where others speak within it."""
        if others := places.within(number):
            role = messages[others[0]]["role"]
            raise TemplateRefuses(f"the chat template writes the {role}'s words between those of the assistant")
        start, note = self._start(messages, tools, number, places)
        last = places.hulls[number][1]
        length, ended = self._end(messages, tools, number, places.text[last : places.after(number)])
        return Turn((start, last + length), ended, note)

    def specials(self, text: str) -> list[str]:
        """The special tokens in a text."""
        return self._special.findall(text)

    def last_special(self, text: str) -> int:
        """Where the last special token in a text ends; 0 where there is none."""
        return max((found.end() for found in self._special.finditer(text)), default=0)

    def _start(self, messages: Sequence[Message], tools: Any, number: int, places: Places) -> tuple[int, str | None]:
        """Where the turn begins, and how the prompt for it differs from what precedes its words."""
        before = max((other for other in places.hulls if other < number), default=None)
        begins = 0 if before is None else places.hulls[before][1]
        gap = places.text[begins : places.hulls[number][0]]
        prompt = None if before is None else self._prompt(messages, tools, number, before, gap)
        if prompt is not None and gap.startswith(prompt):
            return begins + len(prompt), None
        header = self._header()
        opened = gap.rfind(header) + len(header) if header and header in gap else 0
        if prompt is None:
            return begins + (opened or len(gap)), None
        shared = _whole_tags(gap, common_length(prompt, gap), self._special)
        switched = [len(other) for other in self._switched(messages, tools, number) if gap.startswith(other)]
        length = max(shared, opened, *switched, 0)
        return begins + length, _differs(prompt, gap[:length], shared)

    def _prompt(self, messages: Sequence[Message], tools: Any, number: int, before: int, gap: str) -> str | None:
        """What the template writes between the last words and the assistant's next ones; None where it cannot.

        before: the last message that says anything.
        """
        key = tuple(message["role"] for message in messages[before:number])
        known = self._prompts.get(key)
        if known is not None and gap.startswith(known):
            return known
        try:
            self._prompts[key] = self._asks(messages[:number], tools)
        except TemplateRefuses:
            return None
        return self._prompts[key]

    def _asks(self, messages: Sequence[Message], tools: Any, **variables: Any) -> str:
        marker = Marker()
        marked = [marker.message(place, message) for place, message in enumerate(messages)]
        places = take_out(self._template.text(marked, tools, prompt=True, **variables), marker.pieces)
        return places.text[max((end for _, end in places.hulls.values()), default=0) :]

    def _switched(self, messages: Sequence[Message], tools: Any, number: int) -> list[str]:
        """The prompts with reasoning switched on, and off, where the template has such a switch."""
        prompts = []
        for name in _SWITCHES:
            if name in self._template.source:
                for value in (True, False):
                    try:
                        prompts.append(self._asks(messages[:number], tools, **{name: value}))
                    except TemplateRefuses:
                        continue
        return prompts

    def _header(self) -> str:
        """What the template adds to a conversation when it asks for the assistant's turn."""
        if ("header",) not in self._prompts:
            try:
                asks = self._template.text([_USER], prompt=True)
                self._prompts["header",] = asks.removeprefix(self._template.text([_USER]))
            except TemplateRefuses:
                self._prompts["header",] = ""
        return self._prompts["header",]

    def _end(self, messages: Sequence[Message], tools: Any, number: int, tail: str) -> tuple[int, bool]:
        """How much of what follows the words belongs to their turn, and whether a token ends it."""
        message = messages[number]
        inner = number + 1 < len(messages)
        following = messages[number + 1]["role"] if inner else None
        key = (tail, following, bool(message.get("content")), len(message.get("tool_calls") or ()))
        if key not in self._ends:
            at_end: str | None
            within: str | None
            if inner:
                at_end, within = self._tail(messages[: number + 1], tools, number), tail
            else:
                at_end, within = tail, self._continued(messages, tools, number)
            self._ends[key] = self._split(at_end, within, inner)
        return self._ends[key]

    def _tail(self, messages: Sequence[Message], tools: Any, number: int) -> str | None:
        """What follows the words of a message, up to those of the next; None where it cannot be found."""
        marker = Marker()
        marked = [marker.message(place, message) for place, message in enumerate(messages)]
        try:
            places = take_out(self._template.text(marked, tools), marker.pieces)
        except TemplateRefuses:
            return None
        if number not in places.hulls:
            return None
        return places.text[places.hulls[number][1] : places.after(number)]

    def _continued(self, messages: Sequence[Message], tools: Any, number: int) -> str | None:
        """What follows the words of the last message where the conversation goes on after it."""
        calls = messages[number].get("tool_calls") or []
        answers = [
            {
                "role": "tool",
                "name": call.get("function", call)["name"],
                "tool_call_id": call.get("id", ""),
                "content": "c",
            }
            for call in calls
        ]
        for following in ([*answers], [_USER]) if answers else ([_USER],):
            if (tail := self._tail([*messages, *following], tools, number)) is not None:
                return tail
        return None

    def _split(self, at_end: str | None, within: str | None, inner: bool) -> tuple[int, bool]:
        """Length of a turn's own end in what follows its words, and whether a special token is in it.

        at_end, within: what follows at the end of a conversation and within one; inner: which of them is asked for.
        """
        tail = (within if inner else at_end) or ""
        first = self._special.search(tail)
        if at_end is None or within is None:
            length = (first.end() if inner else self.last_special(tail)) if first else len(tail.rstrip())
            return length, bool(first)
        shared = tail[: _whole_tokens(tail, common_length(at_end, within), self._special)]
        if length := self.last_special(shared):
            return length, True
        # Another token at the end than within, as <|return|> and <|end|>; or the next turn's header ends this one.
        if first and (first.group() in self._stops or (self._special.search(at_end) and self._ends_here(first, inner))):
            return first.end(), True
        return len(shared.rstrip()), False

    def _ends_here(self, first: re.Match[str], inner: bool) -> bool:
        """Whether a token that is not at both places can be the end of a turn: a header comes after it."""
        return not inner or bool(self._special.search(first.string, first.end()))


def common_length(one: str, other: str) -> int:
    """Length of the longest common beginning of two texts."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _whole_tokens(text: str, length: int, special: re.Pattern[str]) -> int:
    """The length, or less so that no special token is cut."""
    return min([length, *(found.start() for found in special.finditer(text) if found.start() < length < found.end())])


def _whole_tags(text: str, length: int, special: re.Pattern[str]) -> int:
    """The same for special tokens and whatever else looks like a tag, such as <think>."""
    return min(_whole_tokens(text, length, special), _whole_tokens(text, length, _TAG))


def _differs(prompt: str, written: str, shared: int) -> str:
    """Both from the last tag that they share."""
    start = max(prompt.rfind("<", 0, shared), 0)
    one, other = prompt[start:][:_SHOWN], written[start:][:_SHOWN]
    return f"the prompt for the assistant ends with {one!r}, its turn in a conversation begins with {other!r}"


def _alternatives(tokens: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the tokens, the longest first; one that finds nothing where there are none."""
    known = sorted(filter(None, tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, known)) or r"(?!)")
