"""Read rows, numbered, from the files and folders that data may come from."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from training_hub.data import strict_json

EXTENSIONS = (".jsonl", ".json", ".parquet", ".csv")
_BATCH_ROWS = 1024


class Malformed(str):
    """Why a line is not a row."""


class Columnar(dict[str, Any]):
    """A row of a columnar file, which gives every object the keys of all others, with nulls for those it lacks."""


Row = dict[str, Any]
Raw = bytes | Row | Malformed  # bytes: a line that is yet to be parsed


def is_hub_id(path: str) -> bool:
    """Whether a path that is not there can only mean a dataset on the hub: `owner/name`, no folder `owner` here."""
    owner, slash, name = path.partition("/")
    plain = bool(slash and owner and name) and "/" not in name and owner not in (".", "..", "~")
    return plain and Path(path).suffix not in EXTENSIONS and not Path(owner).is_dir()


def unit_of(path: str) -> str:
    """What rows of this source are numbered by: lines of a text file, else rows; the first is 1."""
    return "line" if Path(path).suffix == ".jsonl" else "row"


def read_rows(path: str) -> Iterator[tuple[int, Row | Malformed]]:
    """Yield (number, row) for every row of a source; a `Malformed` in place of a row that cannot be read.

    Raises ValueError where the source as a whole is not what its name says, OSError where it cannot be read.
    """
    return ((number, parse(raw)) for number, raw in read_raw(path))


def read_raw(path: str) -> Iterator[tuple[int, Raw]]:
    """The same with lines of JSON unparsed, so that other processes may parse them."""
    if not Path(path).is_file():
        return _read_dataset(path)
    readers = {".jsonl": _read_lines, ".json": _read_json, ".parquet": _read_parquet, ".csv": _read_csv}
    return readers[Path(path).suffix](path)


def parse(raw: Raw) -> Row | Malformed:
    """The row that a line of JSON stands for; anything else as it is."""
    if not isinstance(raw, bytes):
        return raw
    try:
        row = strict_json.loads(raw)
    except UnicodeDecodeError:
        return Malformed("not valid UTF-8")
    except strict_json.Unsound as error:
        return Malformed(str(error))
    except ValueError:
        return Malformed("not valid JSON")
    return row if isinstance(row, dict) else Malformed("not a JSON object")


def _read_lines(path: str) -> Iterator[tuple[int, Raw]]:
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _read_json(path: str) -> Iterator[tuple[int, Raw]]:
    """A list of objects, or, as many .json files in fact are, one object per line."""
    with Path(path).open("rb") as file:
        start = file.read(4096).lstrip()[:1]
    if start != b"[":
        yield from _read_lines(path)
        return
    for number, row in enumerate(strict_json.loads(Path(path).read_bytes()), 1):
        yield number, row if isinstance(row, dict) else Malformed("not a JSON object")


def _read_csv(path: str) -> Iterator[tuple[int, Raw]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = filter(None, csv.reader(file, strict=True))
            columns = next(rows, [])
            _refuse_doubled(columns)
            for number, row in enumerate(rows, 1):
                yield number, _named(columns, row)
        except csv.Error as error:  # no ValueError; a quote that is not closed would swallow the rows after it
            raise ValueError(str(error)) from None


def _named(columns: Sequence[str], fields: Sequence[str]) -> Row | Malformed:
    if any("\0" in field for field in fields):
        return Malformed("holds a NUL byte, as files that are no text do")
    if len(fields) == len(columns):
        return dict(zip(columns, fields, strict=True))
    return Malformed(f"has {'more' if len(fields) > len(columns) else 'fewer'} fields than the first line")


def _refuse_doubled(columns: Sequence[str]) -> None:
    """ValueError for two columns of one name: a row could hold one of them alone."""
    doubled = next((name for name in columns if columns.count(name) > 1), None)
    if doubled is not None:
        raise ValueError(f'the column "{doubled}" is there twice')


def _read_parquet(path: str) -> Iterator[tuple[int, Raw]]:
    from pyarrow import parquet

    number = 0
    with parquet.ParquetFile(path) as file:
        _refuse_doubled(file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield number, Columnar(row)


def _read_dataset(path: str) -> Iterator[tuple[int, Raw]]:
    """A folder written by `save_to_disk`, or an id on the hub; of several splits, `train`."""
    import datasets

    loaded = datasets.load_from_disk(path) if Path(path).is_dir() else datasets.load_dataset(path, split="train")
    rows = loaded["train"] if isinstance(loaded, datasets.DatasetDict) else loaded
    for number, row in enumerate(rows, 1):
        yield number, Columnar(row)


def without_nulls(value: Any) -> Any:
    """A value of a columnar row with the nulls left out that stand in objects."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
