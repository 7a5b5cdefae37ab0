"""Look at the data before a run starts: everything wrong with it, in one line for each file.

Light: no tokenizer, no heavy import. The worker applies the same rules to every row again.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from training_hub.data.formats import columns_of, format_of, is_conversation, recognise, row_fault
from training_hub.data.read import EXTENSIONS, Malformed, is_hub_id, read_rows, unit_of
from training_hub.data.saved import torn
from training_hub.errors import enumerate_names, fault

__all__ = ["Inspection", "Unfit", "check", "recognise", "summarise", "summarise_refusals"]

MAX_ROWS = 200_000  # a few seconds; the worker looks at the rest
_SHOWN_FAULTS = 3
# What counts only where a chat template writes the rows, and the value that asks for nothing.
_OF_TEMPLATES: dict[str, Any] = {
    "chat_template_kwargs": {}, "end_of_turn": "auto", "unrenderable": "error", "plain_text": False,
}  # fmt: skip
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
        return any(is_conversation(row, data) for row in rows)
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
            inspection.accepts(number, row)
    except Unfit as unfit:
        return [str(unfit)]
    except ImportError:  # pyarrow may be where the worker runs, not here
        return []
    except (ValueError, OSError) as error:
        return [fault(name, path, f"cannot be read as {Path(path).suffix}: {str(error).partition(chr(10))[0]}")]
    return [inspection.fault] if inspection.fault else []


class Unfit(Exception):
    """The rows, judged by the first, are nothing that the algorithm can read; the message is the fault."""


class Inspection:
    """Goes through the rows of one source, which all have the format of the first, and notes what is wrong.

    name: what the user calls the source, `data_path` or `eval_data_path`; form: the format, where it is known.
    """

    def __init__(self, name: str, path: str, data: Mapping[str, Any], form: str | None = None) -> None:
        self.name = name
        self.path = path
        self.data = data
        self.form = form
        self.total = 0
        self.wrong: list[tuple[int, str]] = []

    def accepts(self, number: int, row: dict[str, Any] | Malformed) -> bool:
        """Look at the next row; whether it is fine. Raises Unfit where rows of this format are not wanted."""
        self.total += 1
        problem = row if isinstance(row, Malformed) else self._problem(row)
        if problem:
            self.wrong.append((number, problem))
        return not problem

    def _problem(self, row: dict[str, Any]) -> str | None:
        if self.form is None:
            form = format_of(row, self.data)
            if form is None:
                return f"the columns {enumerate_names(map(str, row))} are those of no known format"
            if unfit := self._unfit(form, row):
                raise Unfit(unfit)
            self.form = form
        return row_fault(row, self.form, self.data)

    def _unfit(self, form: str, row: dict[str, Any]) -> str | None:
        """Why rows of this format, of which this is the first, cannot be used with these settings."""
        data = self.data
        if form not in data["accepts"]:
            return self._say(
                f"the rows have the format {form}, this algorithm reads {enumerate_names(data['accepts'])}"
            )
        if missing := [column for column in columns_of(form, data) if column not in row and data["format"] != "auto"]:
            rule = f'the rows have no column "{missing[0]}", only {enumerate_names(map(str, row))}'
            return self._say(rule, _way_out(form))
        if form != "document" and data["block_size"] is not None:
            return fault("data.block_size", data["block_size"], f"only documents are cut into blocks, not {form} rows")
        for own in ("messages", "document"):
            column = data[f"{own}_column"]
            if own not in (form, column):
                return fault(f"data.{own}_column", column, f"the rows have the format {form}", "drop it")
        if form == "tokens" and data["chat_template"] is not None:
            return fault("data.chat_template", data["chat_template"], "the rows are tokens already", "drop it")
        if unused := next((name for name in _of_no_use(form) if data[name] != _OF_TEMPLATES[name]), None):
            return fault(f"data.{unused}", data[unused], f"not used by rows of the format {form}", "drop it")
        masked_already = form in ("document", "tokens", "preference")
        if masked_already and data["train_on"] not in ("assistant", ["assistant"]):
            return fault("data.train_on", data["train_on"], f"rows of the format {form} say themselves what is trained")
        return None

    def _say(self, rule: str, way_out: str = "") -> str:
        return fault(self.name, self.path, rule, way_out)

    @property
    def fault(self) -> str | None:
        """Everything wrong so far as one line: the first few rows and how many of how many; None where all is fine."""
        if self.total == 0:
            return self._say("the file has no rows")
        way_out = "" if self.form else f"the known formats are {enumerate_names(self.data['accepts'])}"
        return summarise(self.name, self.path, self.wrong, self.total, way_out)


def _of_no_use(form: str) -> list[str]:
    """Settings of templates that rows of a format have no use for."""
    if form in ("document", "tokens"):
        return list(_OF_TEMPLATES)
    return ["plain_text"] if form == "messages" else []


def _way_out(form: str) -> str:
    return f"name it with data.{form}_column" if form in ("messages", "document") else "choose another data.format"


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
