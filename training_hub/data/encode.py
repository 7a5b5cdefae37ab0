"""Turn rows of any format into token ids and labels, a batch at a time.

A prompt and an answer of text are a user's turn and the assistant's, or for a model without a chat template the plain
text of both and the tokenizer's end-of-text token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training_hub.data import kept
from training_hub.data.calls import readable
from training_hub.data.chat import ChatTemplate, Message, TemplateRefuses
from training_hub.data.conversation import REASONING_KEYS
from training_hub.data.formats.base import Format
from training_hub.data.labels import IGNORED
from training_hub.data.rows import Flat
from training_hub.data.skeleton import Span
from training_hub.data.values import Row, decoded, is_true

_RENDERING = Lock()  # transformers notes the places of generations on the template, which all threads share


class Text(NamedTuple):
    """Text to be tokenised: spans are its trained characters; whole: its template wrote all special tokens.

    notes: what is to be said about the way in which it was written.
    """

    text: str
    spans: list[Span]
    whole: bool
    notes: tuple[str, ...] = ()


class Given(NamedTuple):
    """A row that is tokens already."""

    input_ids: list[int]
    labels: list[int]


class NoChatTemplate(Exception):
    """A conversation is to be rendered and the tokenizer has no chat template."""


class Encoder:
    """Encodes rows, and writes their texts for the formats: see `formats.base.Writer`.

    tokenizer: a `tokenizers.Tokenizer`; template: None for a tokenizer without one; eos: text of the token that ends
    a plain text, "" for none; data: the settings of the data node.
    """

    def __init__(self, tokenizer: Any, template: ChatTemplate | None, eos: str, data: Mapping[str, Any]) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.eos = eos
        self.data = data
        train_on = data["train_on"]
        self.roles = frozenset([train_on] if isinstance(train_on, str) else train_on)
        self.left_out: Counter[str] = Counter()  # rows of which the template leaves out "tools" or "reasoning"
        self.notes: Counter[str] = Counter()  # rows of which something else is to be said
        self._chats = template is not None and not data["plain_text"]

    def encode(self, rows: Sequence[tuple[int, Row]], form: Format) -> tuple[Flat, list[str], list[tuple[int, str]]]:
        """Encode numbered rows; those that the template refuses are left out.

        Returns as many rows of tokens for each row as the format has sides, what is kept beside them (empty where that
        is nothing), and (number, reason) of each row that was refused.
        """
        texts: list[Text | Given] = []
        beside: list[str] = []
        said: list[str] = []
        refused: list[tuple[int, str]] = []
        with _RENDERING:
            for number, row in rows:
                try:
                    made = form.texts(row, self)
                except TemplateRefuses as reason:
                    refused.append((number, str(reason)))
                    continue
                texts += made
                said += {note for text in made if isinstance(text, Text) for note in text.notes}
                further = form.kept(row, self)
                beside += [] if further is None else [kept.dumps(further)]
        self.notes.update(said)
        return self._tokenise(texts), beside, refused

    def answered(self, prompt: str, answer: str, row: Row, plain: str | None = None) -> Text:
        """A prompt and its answer as two turns; as plain text, `plain` and the answer, if there is no template."""
        if self._chats:
            return self.conversation([_turn("user", prompt), _turn("assistant", answer)], row)
        return self._plain(prompt if plain is None else plain, answer, self.roles)

    def document(self, text: str) -> Text:
        """Text that is trained whole."""
        return self._plain("", text, frozenset(["all"]))

    def tokens(self, input_ids: list[int], labels: list[int]) -> Given:
        """Tokens as they are."""
        return Given(input_ids, labels)

    def turns(self, prompt: str | list[Message]) -> str | list[Message]:
        """A prompt as it is asked: text is a user's turn where it is not written as plain text."""
        return [_turn("user", prompt)] if self._chats and isinstance(prompt, str) else prompt

    def asked(self, prompt: str | list[Message], row: Row) -> Text:
        """A prompt through the beginning of the answer, none of it trained."""
        asked = self.turns(prompt)
        if isinstance(asked, str):
            return Text(asked, [], whole=False)
        template, tools = self._template(), decoded(row.get("tools")) or None
        messages = readable(asked, lambda said: template.text(said, tools))
        return Text(template.text(messages, tools, prompt=True), [], whole=True)

    def _plain(self, prompt: str, answer: str, roles: frozenset[str]) -> Text:
        """Prompt and answer as they are, with the tokenizer's own special tokens and one end-of-text token."""
        text = prompt + answer
        text += "" if text.endswith(self.eos) else self.eos
        start = 0 if roles & {"all", "user"} else len(prompt)
        end = len(text) if roles & {"all", "assistant"} else len(prompt)
        return Text(text, [(start, end)], whole=False)

    def _template(self) -> ChatTemplate:
        if self.template is None:
            raise NoChatTemplate
        return self.template

    def conversation(self, messages: list[Message], row: Row, prompt: int = 0) -> Text:
        """A conversation, whose first messages are a prompt: the assistant's words in it are not trained."""
        template, tools = self._template(), decoded(row.get("tools")) or None
        messages = readable(messages, lambda said: template.text(said, tools))
        roles = {message["role"] for message in messages} - {"system"} if is_true(row.get("unmask")) else self.roles
        if "all" in roles:
            return self._all(template, messages, tools)
        trained = [
            message["role"] in roles and (number >= prompt or message["role"] != "assistant")
            for number, message in enumerate(messages)
        ]
        text, spans, notes = template.spans(messages, tools, trained.__getitem__)
        self._note_what_is_left_out(text, messages, tools)
        return Text(text, spans, whole=True, notes=notes)

    def _all(self, template: ChatTemplate, messages: list[Message], tools: Any) -> Text:
        """A conversation of which every token is trained; its end is that of the assistant's turn, where it is one."""
        last = len(messages) - 1
        try:
            text, _, notes = template.spans(messages, tools, lambda number: number == last)
        except TemplateRefuses:
            text, notes = template.text(messages, tools), ()
        return Text(text, [(0, len(text))], whole=True, notes=notes)

    def _note_what_is_left_out(self, text: str, messages: list[Message], tools: Any) -> None:
        """Count rows whose tools or last reasoning the template does not write."""
        if tools and not any(tool.get("function", tool).get("name", "") in text for tool in tools):
            self.left_out["tools"] += 1
        thoughts = [message[key] for message in messages[-1:] for key in REASONING_KEYS if message.get(key)]
        if any(thought.strip() not in text for thought in thoughts):
            self.left_out["reasoning"] += 1

    def _tokenise(self, texts: Sequence[Text | Given]) -> Flat:
        """Token ids and labels of texts; a token that lies only partly in a span is trained. Releases the GIL."""
        if any(isinstance(text, Given) for text in texts):
            return _flatten([text for text in texts if isinstance(text, Given)])
        plain = [text for text in texts if isinstance(text, Text)]
        encodings = self._encodings(plain)
        offsets = _offsets(len(encoding) for encoding in encodings)
        ids = np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), np.int32, offsets[-1])
        labels = np.full_like(ids, IGNORED)
        for text, encoding, offset in zip(plain, encodings, offsets.tolist(), strict=False):
            for span in text.spans:
                first, last = (offset + place for place in _tokens_of(encoding, *span, len(text.text)))
                labels[first:last] = ids[first:last]
        return Flat(ids, labels, offsets)

    def _encodings(self, texts: Sequence[Text]) -> list[Any]:
        """Tokenise in as few calls as possible: texts of which all is written, and texts that get special tokens."""
        found: dict[int, Any] = {}
        for whole in {text.whole for text in texts}:
            chosen = [place for place, text in enumerate(texts) if text.whole is whole]
            batch = [texts[place].text for place in chosen]
            found |= zip(chosen, self.tokenizer.encode_batch(batch, add_special_tokens=not whole), strict=True)
        return [found[place] for place in range(len(texts))]


def _turn(role: str, words: str) -> Message:
    return {"role": role, "content": words}


def _tokens_of(encoding: Any, start: int, end: int, length: int) -> tuple[int, int]:
    """The first token of a span of characters and one past the last."""
    first, last = _token_at(encoding, start, length), _token_at(encoding, end, length)
    straddles = last < len(encoding) and encoding.token_to_chars(last)[0] < end
    return first, last + straddles


def _token_at(encoding: Any, place: int, length: int) -> int:
    """The first token at or after a character; white space may belong to no token. The number of tokens at the end."""
    for character in range(place, length):
        if (token := encoding.char_to_token(character)) is not None:
            return int(token)
    return len(encoding)


def _flatten(rows: Sequence[Given]) -> Flat:
    """Lay rows end to end."""
    ids, labels = (np.fromiter(chain.from_iterable(side), np.int32) for side in zip(*rows, strict=True))
    return Flat(ids, labels, _offsets(len(row.input_ids) for row in rows))


def _offsets(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.array([0, *accumulate(lengths)], dtype=np.int64)
