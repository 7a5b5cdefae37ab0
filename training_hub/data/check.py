"""Look at the data before a run starts: everything wrong with it, in one line for each file.

Light: no tokenizer, no heavy import. The worker applies the same rules to every row again.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from training_hub.data.formats.base import Format
from training_hub.data.read import EXTENSIONS, Malformed, is_hub_id, read_rows, unit_of
from training_hub.data.recognise import Formats
from training_hub.data.saved import torn
from training_hub.data.values import Row
from training_hub.errors import enumerate_names, fault

MAX_ROWS = 200_000  # a few seconds; the worker looks at the rest
_SHOWN_FAULTS = 3
_UNUSED = "not used by rows of the format {form}"
# Settings that only some formats use, see `Format.uses`: the values that ask for nothing, and what is said of others.
OPTIONAL: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "block_size": ((None,), "rows of the format {form} are not cut into blocks", "drop it"),
    "messages_column": (("messages",), "the rows have the format {form}", "drop it"),
    "document_column": (("document",), "the rows have the format {form}", "drop it"),
    "chat_template": ((None,), _UNUSED, "drop it"),
    "chat_template_kwargs": (({},), _UNUSED, "drop it"),
    "end_of_turn": (("auto",), _UNUSED, "drop it"),
    "unrenderable": (("error",), _UNUSED, "drop it"),
    "plain_text": ((False,), _UNUSED, "drop it"),
    "train_on": (("assistant", ["assistant"]), "rows of the format {form} say themselves what is trained", "drop it"),
}
# What the worker itself hands to the renderer.
_TAKEN = {
    "messages", "conversations", "tools", "documents", "chat_template", "add_generation_prompt",
    "continue_final_message", "return_assistant_tokens_mask",
}  # fmt: skip


def check(data: Mapping[str, Any]) -> list[str]:
    """Return every fault of a data node, one line each, in the project's grammar; [] where it is fine.

    data: the node as the worker reads it, with the `largest_id` of the model's tokens where that is known. At most
    MAX_ROWS rows of each file are looked at. A dataset on the hub is left to the worker: it would need the network.
    """
    faults = setting_faults(data) + _check_source("data_path", str(data["path"]), data)
    if data["eval_path"] is not None:
        faults += _check_source("eval_data_path", str(data["eval_path"]), data)
    return list(dict.fromkeys(faults))


def setting_faults(data: Mapping[str, Any]) -> list[str]:
    """The faults of a data node that show without a look at the rows."""
    faults = []
    if data["eval_fraction"] and data["eval_path"] is not None:
        faults.append(fault("eval_fraction", data["eval_fraction"], "eval_data_path is given too", "drop one of them"))
    if data["block_size"] is not None and data["block_size"] > data["max_seq_len"]:
        rule = f"must be at most max_seq_len, which is {data['max_seq_len']}"
        faults.append(fault("data.block_size", data["block_size"], rule))
    if data["chat_template"] is not None and not Path(data["chat_template"]).is_file():
        faults.append(fault("data.chat_template", data["chat_template"], "no such file"))
    elif data["chat_template"] is not None and (why := _unreadable(Path(data["chat_template"]))):
        faults.append(fault("data.chat_template", data["chat_template"], why))
    if taken := sorted(_TAKEN & set(data["chat_template_kwargs"])):
        rule = f"{enumerate_names(taken)} cannot be set: what is rendered is in the rows"
        faults.append(fault("data.chat_template_kwargs", data["chat_template_kwargs"], rule))
    return faults


def _unreadable(file: Path) -> str | None:
    """Why a file is no text, None where it is."""
    try:
        return None if file.read_text("utf-8").strip() else "the file is empty"
    except UnicodeDecodeError:
        return "not valid UTF-8"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def renders(data: Mapping[str, Any]) -> bool:
    """Whether the rows that are here are conversations, by the first of them: these need a chat template."""
    here = [path for path in (data["path"], data["eval_path"]) if path is not None and Path(path).is_file()]
    rows = (row for path in here for _, row in islice(read_rows(path), 1) if not isinstance(row, Malformed))
    try:
        return any(form.is_conversation(row) for row in rows for form in Formats(data).recognise(row)[:1])
    except (ValueError, OSError, ImportError):  # `check` says what is wrong
        return False


def _check_source(name: str, path: str, data: Mapping[str, Any]) -> list[str]:
    place = Path(path)
    if not place.exists():
        return [] if is_hub_id(path) else [fault(name, path, "no such file or folder")]
    if place.is_dir():
        return [fault(name, path, rule, "give a file, or a folder of save_to_disk")] if (rule := torn(place)) else []
    if not place.is_file():
        return [fault(name, path, "a pipe, a socket or a device, not a file", "write the rows to a file first")]
    if place.suffix not in EXTENSIONS:
        return [fault(name, path, f"unknown kind of file; the known are {enumerate_names(EXTENSIONS)}")]
    if place.stat().st_size == 0:
        return [fault(name, path, "the file is empty")]
    return _check_file(name, path, data)


def _check_file(name: str, path: str, data: Mapping[str, Any]) -> list[str]:
    inspection = Inspection(name, path, data)
    try:
        for number, row in islice(read_rows(path), MAX_ROWS):
            inspection.accepted(number, row)
    except Incompatible as reason:
        return [str(reason)]
    except ImportError:  # pyarrow may be where the worker runs, not here
        return []
    except (ValueError, OSError) as error:
        return [fault(name, path, f"cannot be read as {Path(path).suffix}: {str(error).partition(chr(10))[0]}")]
    return [inspection.fault] if inspection.fault else []


class Incompatible(Exception):
    """The algorithm cannot learn from the rows, judged by the first of them; the message is the fault."""


class Inspection:
    """Goes through the rows of one source, which all have the format of the first, and notes what is wrong.

    name: what the user calls the source, `data_path` or `eval_data_path`; form: the format, once it is known.
    """

    def __init__(self, name: str, path: str, data: Mapping[str, Any], form: Format | None = None) -> None:
        self.name = name
        self.path = path
        self.data = data
        self.form = form
        self.formats = Formats(data)
        self.total = 0
        self.wrong: list[tuple[int, str]] = []

    def accepted(self, number: int, row: dict[str, Any] | Malformed) -> Row | None:
        """The next row as its format reads it; None for a faulty one. Raises Incompatible."""
        self.total += 1
        problem: str | None = row if isinstance(row, Malformed) else None
        if not isinstance(row, Malformed):
            form, problem = self._format_of(row)
            whole = form.whole(row) if form else row
            problem = form.fault(whole, self.data) if form else problem
            if not problem:
                return whole
        self.wrong.append((number, str(problem)))
        return None

    def _format_of(self, row: Row) -> tuple[Format | None, str | None]:
        """The format, or what is wrong with the row if it has none."""
        if self.form is None:
            found = self.formats.recognise(row)
            if not found:
                return None, _unknown(row, self.formats.accepted)
            if incompatible := self._ambiguous(row, found) or self._incompatible(found, row):
                raise Incompatible(incompatible)
            [self.form] = found
        return self.form, None

    def _ambiguous(self, row: Row, found: list[Format]) -> str | None:
        """Why a row may be read in several ways, None if there is one. An extra column decides nothing."""
        if len(found) == 1 or not self._wanted(found):
            return None
        names = [form.name for form in found]
        rule = f"the columns {enumerate_names(map(str, row))} may be those of {' or '.join(names)}"
        return self._say(rule, f"choose one: data.format={' or data.format='.join(names)}")

    def _wanted(self, found: list[Format]) -> bool:
        return any(form.name in self.formats.accepted for form in found)

    def _incompatible(self, found: list[Format], row: Row) -> str | None:
        """Why rows of this format, of which this is the first, cannot be used with these settings."""
        form, data = found[0], self.data
        if not self._wanted(found):
            names = " or ".join(each.name for each in found)
            reads = enumerate_names(self.formats.accepted)
            return self._say(f"the rows have the format {names}, this algorithm reads {reads}")
        if missing := [column for column in form.columns if column not in row]:
            rule = f'the rows have no column "{missing[0]}", only {enumerate_names(map(str, row))}'
            setting = form.column_setting
            return self._say(rule, f"name it with data.{setting}" if setting else "choose another data.format")
        return _without_use(form, data)

    def _say(self, rule: str, way_out: str = "") -> str:
        return fault(self.name, self.path, rule, way_out)

    @property
    def fault(self) -> str | None:
        """Everything wrong so far as one line: the first few rows and how many of how many; None where all is fine."""
        if self.total == 0:
            return self._say("the file has no rows")
        way_out = "" if self.form else f"the known formats are {enumerate_names(self.formats.accepted)}"
        return summarise(self.name, self.path, self.wrong, self.total, way_out)


def _without_use(form: Format, data: Mapping[str, Any]) -> str | None:
    """A setting that rows of a format do not use; None if each that is set is used."""
    for name, (idle, rule, way_out) in OPTIONAL.items():
        if name not in form.uses and data[name] not in idle:
            return fault(f"data.{name}", data[name], rule.format(form=form.name), way_out)
    return None


def _unknown(row: Row, accepted: Mapping[str, Format]) -> str:
    """What is wrong with a row that has no format, with what the nearest one lacks."""
    text = f"the columns {enumerate_names(map(str, row))} are those of no known format"
    near = [form for form in accepted.values() if set(form.columns) & set(row)]
    if not near:
        return text
    form = max(near, key=lambda each: len(set(each.columns) & set(row)))
    lacks = [f'"{column}"' for column in form.columns if column not in row]
    return f"{text}, {form.name} has {enumerate_names(lacks)} as well"


def summarise(name: str, path: str, wrong: list[tuple[int, str]], total: int, way_out: str = "") -> str | None:
    """Put what is wrong with some of `total` rows into one line; None where nothing is."""
    if not wrong:
        return None
    unit = unit_of(path)
    wrong = sorted(wrong)
    shown = "; ".join(f"{unit} {number}: {problem}" for number, problem in wrong[:_SHOWN_FAULTS])
    more = "; ..." if len(wrong) > _SHOWN_FAULTS else ""
    return fault(name, path, f"{shown}{more} ({len(wrong):,} of {total:,} {unit}s)", way_out)


def summarise_refusals(name: str, path: str, refused: list[tuple[int, str]], total: int) -> str | None:
    """The same for rows that the chat template cannot write, by reason; a reason may end with what was said."""
    if not refused:
        return None
    unit = unit_of(path)
    kinds: dict[str, list[tuple[int, str]]] = {}
    for number, reason in sorted(refused):
        kinds.setdefault(reason.partition(": '")[0], []).append((number, reason))
    most = sorted(kinds.values(), key=len, reverse=True)
    shown = [f"{unit} {rows[0][0]}: {rows[0][1]} ({len(rows):,} of {total:,} {unit}s)" for rows in most[:_SHOWN_FAULTS]]
    more = "; ..." if len(most) > _SHOWN_FAULTS else ""
    way_out = "leave such rows out with data.unrenderable=drop, or give another template with data.chat_template=FILE"
    return fault(name, path, "; ".join(shown) + more, way_out)
