"""The shapes a row of data may have, and what can be wrong with one.

Only the standard library: the same rules serve the check before a run and the worker that reads every row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from training_hub.data import strict_json

Row = Mapping[str, Any]

ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")
REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")
LARGEST_ID = 2**31 - 1  # ids are kept as int32
SHAPES = {  # the columns that a row must have
    "messages": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "tokens": ("input_ids", "labels"),
    "prompt_completion": ("prompt", "completion"),
    "alpaca": ("instruction", "output"),
    "document": ("document",),
}
_TELLING = SHAPES | {"preference": ("chosen", "rejected"), "tokens": ("input_ids",)}


def recognise(row: Row) -> str | None:
    """Name the format of a row by its columns; None where it has the columns of no known format."""
    return next((name for name, columns in _TELLING.items() if all(column in row for column in columns)), None)


def format_of(row: Row, data: Mapping[str, Any]) -> str | None:
    """Name the format of a row under the settings of a data node, which may name the format and its columns."""
    if data["format"] != "auto":
        return str(data["format"])
    if data["messages_column"] in row:
        return "messages"
    if data["document_column"] in row:
        return "document"
    return recognise(row)


def is_conversation(row: Row, data: Mapping[str, Any]) -> bool:
    """Whether a row is messages, or a prompt of messages and what follows it."""
    form = format_of(row, data)
    return form == "messages" or (
        form in ("prompt_completion", "preference") and isinstance(decoded(row.get("prompt")), list)
    )


def row_fault(row: Row, form: str, data: Mapping[str, Any]) -> str | None:
    """Say what is wrong with one row of the given format; None where nothing is.

    A value that should be a list may be JSON text, as CSV files hold it.
    """
    columns = columns_of(form, data)
    missing = next((column for column in columns if row.get(column) is None), None)
    if missing is not None:
        return f'"{missing}" is missing'
    try:
        return _CHECKS[form](row, data)
    except strict_json.Unsound as error:
        return f"JSON text in it: {error}"


def columns_of(form: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that every row of a format must have."""
    renamed = {"messages": data["messages_column"], "document": data["document_column"]}
    return (renamed[form],) if form in renamed else SHAPES[form]


def decoded(value: Any) -> Any:
    """The list or object that JSON text stands for; anything else as it is. Unsound for a list that is not clear."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return strict_json.loads(value)
        except ValueError as error:
            if isinstance(error, strict_json.Unsound) and value.lstrip()[0] == "[":
                raise
            return value
    return value


def is_true(value: Any) -> bool | None:
    """The truth of a flag, which CSV files hold as text: missing is false; None where it is not a flag."""
    known = {None: False, "": False, "false": False, "0": False, "true": True, "1": True}
    return known.get(value.lower() if isinstance(value, str) else str(value).lower() if value is not None else None)


def says(message: Row) -> bool:
    """Whether a message holds anything: text, reasoning or a tool call."""
    return bool(message.get("content") or message.get("tool_calls") or any(message.get(key) for key in REASONING_KEYS))


def _messages(row: Row, data: Mapping[str, Any]) -> str | None:
    wanted = data["train_on"]
    unmask, column = is_true(row.get("unmask")), data["messages_column"]
    if unmask is None:
        return '"unmask" is neither true nor false'
    needs_assistant = not unmask and wanted in ("assistant", ["assistant"])
    return _tools(row) or _conversation(decoded(row[column]), column, needs_assistant)


def _tools(row: Row) -> str | None:
    tools = decoded(row.get("tools"))
    if tools in (None, ""):
        return None
    listed = isinstance(tools, list) and all(map(_is_tool, tools))
    return None if listed else '"tools" is not a list of tool descriptions'


def _is_tool(tool: Any) -> bool:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name", ""), str)


def _conversation(messages: Any, column: str, needs_assistant: bool) -> str | None:
    if not isinstance(messages, list):
        return f'"{column}" is not a list of messages'
    if not messages:
        return f'"{column}" is empty'
    for number, message in enumerate(messages, 1):
        if wrong := _message(message):
            return f"message {number}: {wrong}"
    if needs_assistant and not any(message["role"] == "assistant" and says(message) for message in messages):
        return "no assistant turn"
    return None


def _message(message: Any) -> str | None:
    if not isinstance(message, dict):
        return 'not an object with "role" and "content"'
    role = message.get("role")
    if role not in ROLES:
        return '"role" is missing' if role is None else f"role {role!r} is none of {', '.join(ROLES)}"
    if wrong := _tool_calls(message.get("tool_calls")):
        return wrong
    if unsaid := next((key for key in REASONING_KEYS if not isinstance(message.get(key), str | None)), None):
        return f'"{unsaid}" is not text'
    content = message.get("content")
    if content is None:
        return None if role == "assistant" and says(message) else '"content" is missing'
    return None if _is_text(content) else '"content" is not text'


def _is_text(content: Any) -> bool:
    if isinstance(content, list):
        return all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content)
    return isinstance(content, str)


def _tool_calls(calls: Any) -> str | None:
    if calls is None:
        return None
    if not isinstance(calls, list):
        return '"tool_calls" is not a list'
    for call in calls:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return "a tool call has no function name"
        if not isinstance(function.get("arguments"), dict | str | None):
            return "the arguments of a tool call are no object"
    return None


def _preference(row: Row, data: Mapping[str, Any]) -> str | None:
    if decoded(row["chosen"]) == decoded(row["rejected"]):
        return '"chosen" equals "rejected"'
    return _continuation(row, "chosen") or _continuation(row, "rejected")


def _prompt_completion(row: Row, data: Mapping[str, Any]) -> str | None:
    return _tools(row) or _continuation(row, "completion")


def _continuation(row: Row, column: str) -> str | None:
    """Check a prompt and what follows it: both are text, or both are messages."""
    prompt, answer = decoded(row["prompt"]), decoded(row[column])
    if isinstance(prompt, list) != isinstance(answer, list):
        return f'"prompt" and "{column}" are not both text or both messages'
    if isinstance(prompt, list):
        return _conversation(prompt, "prompt", False) or _conversation(answer, column, True)
    return _text(row, "prompt", may_be_empty=True) or _text(row, column)


def _alpaca(row: Row, data: Mapping[str, Any]) -> str | None:
    extra = None if row.get("input") is None else _text(row, "input", may_be_empty=True)
    return _text(row, "instruction") or extra or _text(row, "output")


def _document(row: Row, data: Mapping[str, Any]) -> str | None:
    return _text(row, data["document_column"], may_be_empty=True)


def _text(row: Row, column: str, may_be_empty: bool = False) -> str | None:
    if not isinstance(row[column], str):
        return f'"{column}" is not text'
    return None if may_be_empty or row[column] else f'"{column}" is empty'


def _tokens(row: Row, data: Mapping[str, Any]) -> str | None:
    ids, labels = decoded(row["input_ids"]), decoded(row["labels"])
    for column, values in (("input_ids", ids), ("labels", labels)):
        if not isinstance(values, list) or not all(type(value) is int for value in values):
            return f'"{column}" is not a list of integers'
    if not ids:
        return '"input_ids" is empty'
    if len(ids) != len(labels):
        return f'"input_ids" has {len(ids)} entries and "labels" {len(labels)}'
    if any(label not in (-100, token) for token, label in zip(ids, labels, strict=True)):
        return "a label is neither -100 nor the token id at its place (labels are not shifted)"
    if min(ids) < 0:
        return '"input_ids" holds a negative id'
    largest = data.get("largest_id", LARGEST_ID)
    return f'"input_ids" holds an id beyond {largest:,}' if max(ids) > largest else None


_CHECKS: dict[str, Callable[[Row, Mapping[str, Any]], str | None]] = {
    "messages": _messages,
    "preference": _preference,
    "tokens": _tokens,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
    "document": _document,
}
