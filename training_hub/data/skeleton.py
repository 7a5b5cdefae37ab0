"""What a template writes around the words of conversations of one shape, learnt from one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Span = tuple[int, int]  # first character, one past the last


@dataclass(frozen=True)
class Skeleton:
    """Text before, between and after the words of the messages; for trained messages, how far the span goes beyond.

    It spares the second rendering, never the first: it says nothing of a text that it does not fit letter by letter.
    """

    literals: list[str]
    margins: dict[int, Span]  # message -> characters before its words, after its words

    @classmethod
    def learn(
        cls, text: str, words: Sequence[str], places: Mapping[int, Span], chosen: Sequence[int], spans: Sequence[Span]
    ) -> Skeleton | None:
        """Take a text apart; None where it does not hold the words of all messages in order, or not one span for each.

        places: of the words of the messages; spans: of the chosen messages.
        """
        in_order = [text[slice(*places[number])] for number in sorted(places)] == list(words)
        if not in_order or len(spans) != len(chosen):
            return None
        margins = {
            number: (places[number][0] - start, end - places[number][1])
            for number, (start, end) in zip(chosen, spans, strict=True)
        }
        if min((side for margin in margins.values() for side in margin), default=0) < 0:
            return None
        edges = [0, *(edge for number in sorted(places) for edge in places[number]), len(text)]
        return cls([text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)], margins)

    def fit(self, text: str, words: Sequence[str]) -> list[Span] | None:
        """The trained spans of a text with these words; None where the text is another."""
        pieces = [self.literals[0]]
        position = len(self.literals[0])
        spans = []
        for number, (said, literal) in enumerate(zip(words, self.literals[1:], strict=True)):
            if margin := self.margins.get(number):
                spans.append((position - margin[0], position + len(said) + margin[1]))
            pieces += (said, literal)
            position += len(said) + len(literal)
        return spans if "".join(pieces) == text else None


def plain_words(messages: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """The words of messages that hold nothing but text without outer white space; None where any holds more.

    Reasoning within the text counts as more: templates move it or leave it out.
    """
    words = []
    for message in messages:
        content = message.get("content")
        if len(message) != 2 or not isinstance(content, str) or not content or content != content.strip():
            return None
        if "think>" in content:
            return None
        words.append(content)
    return words
