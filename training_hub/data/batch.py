"""One batch of rows, from lines to tokens: the work that is spread over the cores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from training_hub.data.check import Incompatible, Inspection
from training_hub.data.encode import Encoder
from training_hub.data.formats.base import Format
from training_hub.data.parallel import cores_of, in_processes, in_threads
from training_hub.data.read import Raw, parse, read_raw
from training_hub.data.rows import Flat

Numbered = tuple[int, Raw]

_ROWS = 250  # in a batch
# Threads wait for each other wherever Python itself works, about a third of the time. Processes do not, but each takes
# a second or two to start: worth it for large files on machines with more than a few cores.
_CORES_FOR_PROCESSES = 4
_BYTES_FOR_PROCESSES = 64 * 2**20


@dataclass
class Batch:
    """What became of some rows of a source.

    numbers: of the rows that `flat` holds, each with all of its sides; beside: what is kept of them beside their
    tokens; total: rows seen; wrong: numbers of faulty rows and what is wrong with them; refused: the same of rows that
    the chat template cannot write; empty: rows without a word; left_out, notes: as those of `Encoder`.
    """

    flat: Flat
    beside: list[str]
    numbers: list[int]
    total: int
    wrong: list[tuple[int, str]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    empty: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def encode_all(encoder: Encoder, name: str, path: str) -> tuple[Format, Iterator[Batch]]:
    """The format of a source and its batches in order. Raises Incompatible, NoChatTemplate, and what reading raises."""
    form = _resolve(encoder, name, path)
    work = partial(encode_batch, encoder, form, name, path)
    cores = cores_of(encoder.data["num_proc"])
    large = Path(path).is_file() and Path(path).stat().st_size >= _BYTES_FOR_PROCESSES
    spread = in_processes if large and cores >= _CORES_FOR_PROCESSES else in_threads
    return form, spread(work, _batches(path), cores)


def _resolve(encoder: Encoder, name: str, path: str) -> Format:
    """The format of the first row that has one; Incompatible, with the fault of the source, where none has."""
    inspection = Inspection(name, path, encoder.data)
    for number, raw in read_raw(path):
        inspection.accepted(number, parse(raw))
        if inspection.form:
            return inspection.form
    raise Incompatible(inspection.fault)


def _batches(path: str) -> Iterator[list[Numbered]]:
    rows = read_raw(path)
    while batch := list(islice(rows, _ROWS)):
        yield batch


def encode_batch(encoder: Encoder, form: Format, name: str, path: str, batch: Sequence[Numbered]) -> Batch:
    """Parse, check, render and tokenise some rows. A row that is faulty or refused by the template is noted."""
    inspection = Inspection(name, path, encoder.data, form)
    checked = ((number, inspection.accepted(number, parse(raw))) for number, raw in batch)
    rows = [(number, row) for number, row in checked if row is not None]
    full = [(number, row) for number, row in rows if not form.is_empty(row)]
    encoder = copy(encoder)
    encoder.left_out, encoder.notes = Counter(), Counter()
    flat, beside, refused = encoder.encode(full, form)
    without = {number for number, _ in refused}
    numbers = [number for number, _ in full if number not in without]
    empty = len(rows) - len(full)
    return Batch(flat, beside, numbers, len(batch), inspection.wrong, refused, empty, encoder.left_out, encoder.notes)
