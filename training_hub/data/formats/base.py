"""What a data format is, and what its rows become: see `Format`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from training_hub.data import strict_json
from training_hub.data.read import Columnar, without_nulls
from training_hub.data.values import Row

TEMPLATE = frozenset(["chat_template", "chat_template_kwargs", "end_of_turn", "unrenderable"])
Side = tuple[Any, Any]  # token ids and labels, arrays of one length
Render = Callable[..., Any]


class Writer(Protocol):
    """Writes the text of rows with the tokenizer's chat template; see `training_hub.data.encode.Encoder`."""

    def answered(self, prompt: str, answer: str, row: Row, plain: str | None = None) -> Any:
        """A prompt and its answer as two turns; as plain text, `plain` and the answer, if there is no template."""

    def conversation(self, messages: list[dict[str, Any]], row: Row, prompt: int = 0) -> Any:
        """Messages. The assistant's turns among the first `prompt` ones are not trained."""

    def document(self, text: str) -> Any:
        """Text that is trained whole."""

    def tokens(self, input_ids: list[int], labels: list[int]) -> Any:
        """Tokens as they are."""

    def asked(self, prompt: str | list[dict[str, Any]], row: Row) -> Any:
        """A prompt through the beginning of the answer, none of it trained."""

    def turns(self, prompt: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
        """A prompt as it is asked: text is a user's turn where it is not written as plain text."""


class Format(ABC):
    """One shape that rows may have.

    An option of the config group `format` names a subclass, with the arguments of its constructor: a dataclass's
    fields, for example the names of its columns. The check before a run asks it, and so does the worker, so its module
    imports nothing heavy.

    name: the option's. columns: that every row must have. kind: what its rows become, and an algorithm accepts:
    "labelled" (tokens, some of them trained), "pairs" (of answers), "prompts" (to be answered while training).
    sides: rows of tokens that one row becomes. is_trained: whether these carry labels; a row without is never cut.
    uses: settings of the node `data` that its rows use, of those in `check.OPTIONAL`. column_setting: the one among
    them that names its column.
    """

    name: str = ""
    columns: Sequence[str]
    kind: ClassVar[str] = "labelled"
    sides: ClassVar[int] = 1
    is_trained: ClassVar[bool] = True
    uses: ClassVar[frozenset[str]] = TEMPLATE | {"plain_text", "train_on"}
    column_setting: ClassVar[str] = ""

    def matches(self, row: Row) -> bool:
        """Whether a row has all columns of this format, whatever else it has."""
        return all(column in row for column in self.columns)

    def fault(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """What is wrong with a row, None if nothing is. data: the settings of the node."""
        missing = next((column for column in self.columns if row.get(column) is None), None)
        if missing is not None:
            return f'"{missing}" is missing'
        try:
            return self.check(row, data)
        except strict_json.Unsound as error:
            return f"JSON text in it: {error}"

    @abstractmethod
    def check(self, row: Row, data: Mapping[str, Any]) -> str | None:
        """What is wrong with a row that has all columns. A list may be JSON text, as CSV files hold it."""

    @abstractmethod
    def texts(self, row: Row, write: Writer) -> list[Any]:
        """What is tokenised of a row: as many texts of `write` as it has sides."""

    def is_conversation(self, row: Row) -> bool:
        """Whether a row cannot be written without a chat template."""
        return False

    def is_empty(self, row: Row) -> bool:
        """Whether a row holds nothing; such rows are counted and left out."""
        return False

    def whole(self, row: Row) -> Row:
        """A row with the nulls left out that a columnar file fills in; see `read.Columnar`."""
        return without_nulls(row) if isinstance(row, Columnar) else row

    def kept(self, row: Row, write: Writer) -> dict[str, Any] | None:
        """What is stored of a row beside its tokens; None for nothing."""
        return None

    def stored(self, folder: Path) -> Any:
        """The prepared rows in a folder; see `training_hub.data.rows.Rows`."""
        from training_hub.data.rows import TokenRows

        return TokenRows(folder)

    def proxy(self, length: int) -> list[Side]:
        """The sides of a row that stands for any other of so many tokens when memory is estimated."""
        import numpy as np

        ids = np.ones(length, np.int32)
        return [(ids, ids)]

    def shown(self, rows: Any, number: int, render: Render) -> Iterator[tuple[str, Any]]:
        """The parts of a prepared row for a person, each with its heading. render: ids and labels, None for none."""
        yield "", render(*rows[number])
