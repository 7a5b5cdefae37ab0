"""Rows, folders and templates that would break what reads them: one line each, and in time."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.formats import formats
from training_hub.cli import main
from training_hub.data.chat import ChatTemplate, TemplateRefuses
from training_hub.data.check import check
from training_hub.data.limited import TooLong, limited
from training_hub.data.read import Malformed, parse
from training_hub.data.recognise import Formats
from training_hub.data.saved import torn

DATA: dict[str, Any] = {
    "format": "auto",
    "formats": formats(),
    "accepts": ["labelled", "pairs"],
    "train_on": "assistant",
    "messages_column": "messages",
    "document_column": "document",
    "chat_template": None,
    "chat_template_kwargs": {},
    "block_size": None,
    "max_seq_len": 100,
    "eval_path": None,
    "eval_fraction": 0.0,
}
SAID = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


@pytest.mark.parametrize(
    ("row", "form", "problem"),
    [
        ({"input_ids": [2**31], "labels": [2**31]}, "tokens", '"input_ids" holds an id beyond 2,147,483,647'),
        ({"tools": [{"function": 5}], "messages": SAID}, "messages", '"tools" is not a list of tool descriptions'),
        ({"tools": [{"name": 5}], "messages": SAID}, "messages", '"tools" is not a list of tool descriptions'),
        (
            {"messages": [SAID[0], {**SAID[1], "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}]},
            "messages",
            "message 2: the arguments of a tool call are no object",
        ),
        (
            {"messages": [SAID[0], {**SAID[1], "thinking": {"a": 1}}]},
            "messages",
            'message 2: "thinking" is not text',
        ),
    ],
)
def test_what_would_break_the_worker_is_a_fault_of_the_row(row: dict[str, Any], form: str, problem: str) -> None:
    assert Formats(DATA).every[form].fault(json.loads(json.dumps(row)), DATA) == problem


@pytest.mark.parametrize("line", [b'{"prompt": "\\ud800"}', b'{"\\uDFFF": 1}', b'{"a": ["x\\udc00"]}'])
def test_half_a_character_is_no_text(line: bytes) -> None:
    assert parse(line) == "half of a character, a lone surrogate"


def test_a_character_beyond_the_first_plane_is_text() -> None:
    assert parse(b'{"a": "\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800")
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
_EVERY = Formats(DATA).every
_NAMES = sorted({column for form in _EVERY.values() for column in form.columns} | {"tools", "unmask", "input"})
_MESSAGE = st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "thinking"]), _JSON | st.just("user"))
_CELL = _JSON | st.lists(_MESSAGE, max_size=3) | st.lists(_JSON.map(json.dumps), max_size=2).map(json.dumps)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(row=st.dictionaries(st.sampled_from(_NAMES), _CELL, max_size=5), form=st.sampled_from(sorted(_EVERY)))
@example(row={"input_ids": [10**30], "labels": [10**30]}, form="tokens")
@example(row={"messages": [{"role": ["user"], "content": "x"}]}, form="messages")
def test_any_json_as_a_row_is_fine_or_one_line(row: dict[str, Any], form: str) -> None:
    parsed = parse(json.dumps(row).encode())
    problem = parsed if isinstance(parsed, Malformed) else _EVERY[form].fault(parsed, DATA)
    assert problem is None or (problem and "\n" not in problem)


def test_a_saved_dataset_is_looked_at_before_it_is_loaded(tmp_path: Path) -> None:
    assert torn(tmp_path) == "not a dataset folder"
    (tmp_path / "dataset_info.json").write_text("{}")
    assert torn(tmp_path) == "torn: its state.json is missing, or names no files of rows"
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data-0.arrow"}]}')
    assert torn(tmp_path) == "torn: data-0.arrow is missing"
    (tmp_path / "data-0.arrow").touch()
    assert torn(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "rule"), [(b"\xff", "not valid UTF-8"), (b"", "the file is empty"), (b" \n", "the file is empty")]
)
def test_a_template_must_be_text(tmp_path: Path, content: bytes, rule: str) -> None:
    (tmp_path / "x.jinja").write_bytes(content)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    data = {**DATA, "path": str(tmp_path / "rows.jsonl"), "chat_template": str(tmp_path / "x.jinja")}
    assert check(data) == [f"data.chat_template={tmp_path / 'x.jinja'}: {rule}"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 / 0 }}",
        "{{ 'x' * 10 ** 13 }}",
        "{% for each in range(10 ** 9) %}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ messages[9].content.x.y }}",
        "{% for each in messages %}",
    ],
)
def test_a_template_that_breaks_refuses_the_row_in_one_line(source: str) -> None:
    with pytest.raises(TemplateRefuses) as refused:
        ChatTemplate(source, {}, []).text(SAID)
    assert "\n" not in str(refused.value)


def test_what_never_ends_is_ended() -> None:
    start = time.monotonic()
    with pytest.raises(TooLong), limited(0.1):
        sum(1 for _ in itertools.repeat(None))
    assert time.monotonic() - start < 10


def test_what_ends_in_time_is_left_alone() -> None:
    with limited(0.1):
        pass
    time.sleep(1.5)


@pytest.mark.parametrize("config", [{"vocab_size": 50}, {"text_config": {"vocab_size": 50}, "vocab_size": 999}])
def test_tokens_that_the_embedding_lacks_are_named_before_a_run(
    config: dict[str, Any], cli_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    rows = [{"input_ids": [49], "labels": [49]}, {"input_ids": [1, 50], "labels": [1, 50]}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["plan", *cli_words]) == 2
    said = 'line 2: "input_ids" holds an id beyond 49 (1 of 2 lines)'
    assert capsys.readouterr().err == f"data_path={tmp_path}/rows.jsonl: {said}\n"


@pytest.fixture
def cli_words(tmp_path: Path) -> list[str]:
    (tmp_path / "model").mkdir()
    return [f"{name}={tmp_path}/{file}" for name, file in (("model_path", "model"), ("data_path", "rows.jsonl"))]


def test_a_number_that_python_does_not_read_is_named() -> None:
    assert parse(b'{"a": ' + b"9" * 5000 + b"}") == "a number of more than 4,300 digits"


def test_a_nul_byte_in_csv_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"prompt,completion\na,b\0c\n")
    [said] = check(DATA | {"path": str(tmp_path / "rows.csv")})
    assert "row 1: holds a NUL byte" in said


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    [said] = check(DATA | {"path": str(tmp_path / "rows.jsonl")})
    assert "a pipe, a socket or a device, not a file" in said
