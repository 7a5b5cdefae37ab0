"""Put private characters around everything that messages say, and find the words again by them in the rendered text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from training_hub.data.conversation import REASONING_KEYS
from training_hub.data.skeleton import Span

Message = dict[str, Any]

_PLANES = (0xF0000, 0x100000)  # private use: every piece that is said gets a character of its own
_SIZE = 0xFFFE
_MARK = re.compile("([\U000f0000-\U000ffffd\U00100000-\U0010fffd])")
_THINK = re.compile(r"(</?think>)")  # a template may move or drop what is between these


@dataclass(frozen=True)
class Piece:
    """Something said in one go: by which message, and of which of its tool calls it is the name (None: of none)."""

    message: int
    call: int | None = None


@dataclass
class Marker:
    """Marks messages; `pieces` has what each character stands for."""

    pieces: list[Piece] = field(default_factory=list)

    def message(self, number: int, message: Message) -> Message:
        """A copy of a message with marks around all that it says."""
        piece = Piece(number)
        words = {key: self._mark(message[key], piece) for key in ("content", *REASONING_KEYS) if message.get(key)}
        if calls := message.get("tool_calls"):
            words["tool_calls"] = [self._call(call, Piece(number, place)) for place, call in enumerate(calls)]
        return message | words

    def _call(self, call: dict[str, Any], name: Piece) -> dict[str, Any]:
        if "function" in call:
            return call | {"function": self._call(call["function"], name)}
        said = self._mark(call.get("arguments"), Piece(name.message))
        return call | {"name": self._mark(call["name"], name), "arguments": said}

    def _mark(self, value: Any, piece: Piece) -> Any:
        """Mark every text in a value, inside its outer white space, which a template may strip."""
        if isinstance(value, str):
            return "".join(part if _THINK.fullmatch(part) else self._text(part, piece) for part in _THINK.split(value))
        if isinstance(value, list):
            return [self._mark(each, piece) for each in value]
        if isinstance(value, dict):
            return {key: each if key == "type" else self._mark(each, piece) for key, each in value.items()}
        return value

    def _text(self, value: str, piece: Piece) -> str:
        core = value.strip()
        if not core or len(self.pieces) >= 2 * _SIZE:
            return value
        plane, place = divmod(len(self.pieces), _SIZE)
        mark = chr(_PLANES[plane] + place)
        self.pieces.append(piece)
        start = len(value) - len(value.lstrip())
        return value[:start] + mark + core + mark + value[start + len(core) :]


@dataclass(frozen=True)
class Places:
    """A text without its marks, and where the pieces stand in it.

    pieces: (place, message) in the order of the text; hulls: message -> from its first word to its last; lost: tool
    calls that are not written, as (message, number of the call).
    """

    text: str
    pieces: list[tuple[Span, int]]
    hulls: dict[int, Span]
    lost: frozenset[tuple[int, int]]

    def after(self, number: int) -> int:
        """Where the words of the messages after that one begin; the end of the text where there are none."""
        return min((start for (start, _), other in self.pieces if other > number), default=len(self.text))

    def within(self, number: int) -> list[int]:
        """Other messages that say something between the words of this one."""
        first, last = self.hulls[number]
        return [other for (start, end), other in self.pieces if other != number and first < end and start < last]


def take_out(marked: str, pieces: Sequence[Piece]) -> Places:
    """Take the marks out of a rendered text.

    The name of a function counts only where it is first written: a template may repeat it in the tool's answer.
    """
    parts = _MARK.split(marked)
    found: dict[int, list[int]] = defaultdict(list)
    position = 0
    for text, mark in zip(parts[::2], parts[1::2], strict=False):
        position += len(text)
        plane = ord(mark) >= _PLANES[1]
        found[ord(mark) - _PLANES[plane] + plane * _SIZE].append(position)
    known = [
        (_span(ends, pieces[which]), pieces[which].message) for which, ends in found.items() if which < len(pieces)
    ]
    hulls: dict[int, Span] = {}
    for (start, end), number in known:
        first, last = hulls.get(number, (start, end))
        hulls[number] = min(first, start), max(last, end)
    lost = {
        (piece.message, piece.call)
        for which, piece in enumerate(pieces)
        if piece.call is not None and which not in found
    }
    return Places("".join(parts[::2]), sorted(known), hulls, frozenset(lost))


def _span(ends: list[int], piece: Piece) -> Span:
    return ends[0], ends[1 if piece.call is not None and len(ends) > 1 else -1]
