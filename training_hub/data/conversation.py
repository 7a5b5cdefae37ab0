"""What can be wrong with a conversation: its turns, their tool calls, and the tools that it may call.

Only the standard library: the same rules serve the check before a run and the worker that reads every row.
"""

from __future__ import annotations

from typing import Any

from training_hub.data.values import Row, decoded, text_fault

ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")
REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")


def says(message: Row) -> bool:
    """Whether a message holds anything: text, reasoning or a tool call."""
    return bool(message.get("content") or message.get("tool_calls") or any(message.get(key) for key in REASONING_KEYS))


def tools_fault(row: Row) -> str | None:
    """Why the column "tools" is not a list of tools, None if it is, or if there is none."""
    tools = decoded(row.get("tools"))
    if tools in (None, ""):
        return None
    listed = isinstance(tools, list) and all(map(_is_tool, tools))
    return None if listed else '"tools" is not a list of tool descriptions'


def _is_tool(tool: Any) -> bool:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name", ""), str)


def turns_fault(messages: Any, column: str, needs_assistant: bool) -> str | None:
    """What is wrong with the messages of a column, None if nothing is."""
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


def continuation_fault(row: Row, prompt: str, answer: str) -> str | None:
    """What is wrong with a prompt and what follows it, named by their columns: both are text, or both messages."""
    first, second = decoded(row[prompt]), decoded(row[answer])
    if isinstance(first, list) != isinstance(second, list):
        return f'"{prompt}" and "{answer}" are not both text or both messages'
    if isinstance(first, list):
        return turns_fault(first, prompt, False) or turns_fault(second, answer, True)
    return text_fault(row, prompt, may_be_empty=True) or text_fault(row, answer)
