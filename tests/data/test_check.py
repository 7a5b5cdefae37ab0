"""What is said about data before a run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.formats import formats
from training_hub.data.check import check
from training_hub.data.recognise import Formats

GOOD = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
PAIR = {"prompt": "p", "chosen": "a", "rejected": "b"}
Make = Any


def only(faults: list[str]) -> str:
    assert len(faults) == 1
    return faults[0]


def said(node: Make, *turns: dict[str, Any], **columns: Any) -> str:
    """The fault of a file whose second row has these turns, without the path."""
    return only(check(node([GOOD, {"messages": list(turns)} | columns]))).partition(": ")[2]


def test_good_rows_have_no_faults(node: Make) -> None:
    assert check(node([GOOD] * 3)) == []


def test_faulty_lines_are_numbered_and_counted(node: Make) -> None:
    rows: list[Any] = [GOOD] * 40 + [{"text": "x"}] + [GOOD] * 55 + ["{not json"] + [GOOD] * 903
    data = node(rows)
    want = f'data_path={data["path"]}: line 41: "messages" is missing; line 97: not valid JSON (2 of 1,000 lines)'
    assert check(data) == [want]


def test_only_the_first_faulty_lines_are_shown(node: Make) -> None:
    fault = only(check(node([GOOD] + ["x"] * 9)))
    assert "line 4: not valid JSON; ... (9 of 10 lines)" in fault
    assert "line 5" not in fault


def test_blank_lines_are_no_rows(node: Make) -> None:
    assert check(node([GOOD, "", "  ", GOOD])) == []


def test_a_line_that_is_no_object_is_named(node: Make) -> None:
    assert "line 2: not a JSON object (1 of 2 lines)" in only(check(node([GOOD, "[1, 2]"])))


def test_bytes_that_are_no_text_are_named(node: Make) -> None:
    data = node([GOOD])
    with Path(data["path"]).open("ab") as file:
        file.write(b'{"messages": "\xff"}\n')
    assert "line 2: not valid UTF-8" in only(check(data))


@pytest.mark.parametrize("name", ["no/such/train.jsonl", "./train", "/data/train"])
def test_a_missing_file_is_named(node: Make, name: str) -> None:
    assert check(node(path=name)) == [f"data_path={name}: no such file or folder"]


def test_what_can_be_a_dataset_on_the_hub_is_left_to_the_worker(node: Make) -> None:
    assert check(node(path="openai/gsm8k")) == []


def test_an_empty_file_is_named(node: Make) -> None:
    assert only(check(node([]))).endswith("rows.jsonl: the file is empty")
    assert only(check(node(["", " "]))).endswith("rows.jsonl: the file has no rows")


def test_an_unknown_kind_of_file_is_named(node: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_text("x")
    fault = only(check(node(path=str(tmp_path / "rows.xlsx"))))
    assert fault.endswith("unknown kind of file; the known are .jsonl, .json, .parquet, .csv")


def test_a_folder_that_is_no_dataset_is_named(node: Make, tmp_path: Path) -> None:
    assert "not a dataset folder" in only(check(node(path=str(tmp_path))))


def test_the_file_for_evaluation_is_looked_at_too(node: Make) -> None:
    data = node([GOOD], eval_path="missing.jsonl")
    assert check(data) == ["eval_data_path=missing.jsonl: no such file or folder"]


def test_all_faults_are_reported_together(node: Make) -> None:
    data = node([{"x": 1}], eval_path="gone.jsonl", block_size=4096, chat_template="gone.jinja", eval_fraction=0.1)
    assert [fault.partition("=")[0] for fault in check(data)] == [
        "eval_fraction",
        "data.block_size",
        "data.chat_template",
        "data_path",
        "eval_data_path",
    ]


def test_columns_of_no_known_format_are_named(node: Make) -> None:
    fault = only(check(node([{"text": "x", "label": 1}])))
    assert "line 1: the columns text, label are those of no known format (1 of 1 lines)" in fault
    assert "the known formats are alpaca, document, messages" in fault


def test_a_format_that_the_algorithm_does_not_read_is_named(node: Make) -> None:
    assert "the rows have the format preference, this algorithm reads alpaca, document, messages" in only(
        check(node([PAIR]))
    )
    assert "the rows have the format messages, this algorithm reads preference" in only(
        check(node([GOOD], accepts=["preference"]))
    )


@pytest.mark.parametrize(
    ("turns", "fault"),
    [
        ([], '"messages" is empty'),
        ([{"role": "user", "content": "a"}], "no assistant turn"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}], "no assistant turn"),
        ([{"role": "bot", "content": "a"}], "message 1: role 'bot' is none of system, developer, user, assistant"),
        ([{"content": "a"}], 'message 1: "role" is missing'),
        ([{"role": "user"}], 'message 1: "content" is missing'),
        ([{"role": "user", "content": None}], 'message 1: "content" is missing'),
        ([{"role": "user", "content": 3}], 'message 1: "content" is not text'),
        (["hello"], 'message 1: not an object with "role" and "content"'),
        ([{"role": "assistant", "content": None, "tool_calls": "f"}], 'message 1: "tool_calls" is not a list'),
        ([{"role": "assistant", "content": None, "tool_calls": [{}]}], "message 1: a tool call has no function name"),
    ],
)
def test_a_wrong_conversation_is_named(node: Make, turns: list[Any], fault: str) -> None:
    assert f"line 2: {fault}" in said(node, *turns)


def test_a_tool_call_stands_for_content(node: Make) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    assert check(node([{"messages": turns}])) == []


def test_an_assistant_turn_is_not_asked_for_where_others_are_trained(node: Make) -> None:
    asks = {"messages": [{"role": "user", "content": "a"}]}
    assert check(node([asks | {"unmask": True}])) == []
    assert check(node([asks], train_on=["user"])) == []
    assert check(node([asks | {"unmask": False}])) != []


def test_flags_and_tools_have_their_shape(node: Make) -> None:
    turns = GOOD["messages"]
    assert '"unmask" is neither true nor false' in said(node, *turns, unmask="maybe")
    assert '"tools" is not a list of tool descriptions' in said(node, *turns, tools="weather")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (PAIR | {"rejected": "a"}, '"chosen" equals "rejected"'),
        ({"chosen": "a", "rejected": "b"}, '"prompt" is missing'),
        (
            PAIR | {"prompt": [{"role": "user", "content": "p"}]},
            '"prompt" and "chosen" are not both text or both messages',
        ),
        (PAIR | {"chosen": ""}, '"chosen" is empty'),
        (
            {"prompt": GOOD["messages"][:1], "chosen": GOOD["messages"][:1], "rejected": GOOD["messages"][1:]},
            "no assistant turn",
        ),
    ],
)
def test_a_wrong_preference_is_named(node: Make, row: dict[str, Any], fault: str) -> None:
    assert f"line 2: {fault} (1 of 2 lines)" in only(check(node([PAIR, row], accepts=["preference"])))


@pytest.mark.parametrize(
    ("good", "row", "fault"),
    [
        ({"instruction": "a", "output": "b"}, {"instruction": "a", "output": ""}, '"output" is empty'),
        ({"instruction": "a", "output": "b"}, {"instruction": 1, "output": "b"}, '"instruction" is not text'),
        ({"instruction": "a", "output": "b"}, {"instruction": "a"}, '"output" is missing'),
        ({"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": None}, '"completion" is missing'),
        ({"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": [1]}, "not both text or both messages"),
        ({"document": "a"}, {"document": 5}, '"document" is not text'),
        (
            {"input_ids": [1], "labels": [1]},
            {"input_ids": [1, 2], "labels": [1]},
            '"input_ids" has 2 entries and "labels" 1',
        ),
        ({"input_ids": [1], "labels": [1]}, {"input_ids": [1], "labels": [2]}, "labels are not shifted"),
        (
            {"input_ids": [1], "labels": [1]},
            {"input_ids": ["a"], "labels": [1]},
            '"input_ids" is not a list of integers',
        ),
        ({"input_ids": [1], "labels": [1]}, {"input_ids": [], "labels": []}, '"input_ids" is empty'),
        ({"input_ids": [1], "labels": [1]}, {"input_ids": [-1], "labels": [-1]}, "holds a negative id"),
        ({"input_ids": [1], "labels": [1]}, {"input_ids": [1]}, '"labels" is missing'),
    ],
)
def test_a_wrong_row_of_another_format_is_named(node: Make, good: Any, row: Any, fault: str) -> None:
    found = only(check(node([good, row])))
    assert "line 2: " in found
    assert fault in found


def test_a_column_that_is_not_there_is_named_with_those_that_are(node: Make) -> None:
    fault = only(check(node([{"text": "x"}], format="document", document_column="body")))
    assert 'the rows have no column "body", only text; name it with data.document_column' in fault


def test_a_column_can_be_named(node: Make) -> None:
    assert check(node([{"body": "x"}], document_column="body")) == []
    assert check(node([{"talk": GOOD["messages"]}], messages_column="talk")) == []


@pytest.mark.parametrize(
    ("setting", "row"),
    [
        ({"block_size": 64}, GOOD),
        ({"chat_template": __file__}, {"input_ids": [1], "labels": [1]}),
        ({"train_on": ["user"]}, {"document": "x"}),
        ({"plain_text": True}, GOOD),
        ({"plain_text": True}, {"document": "x"}),
        ({"end_of_turn": "template"}, {"input_ids": [1], "labels": [1]}),
        ({"unrenderable": "drop"}, {"document": "x"}),
        ({"chat_template_kwargs": {"enable_thinking": False}}, {"document": "x"}),
    ],
)
def test_a_setting_that_the_format_has_no_use_for_is_named(node: Make, setting: dict[str, Any], row: Any) -> None:
    assert only(check(node([row], **setting))).startswith(f"data.{next(iter(setting))}=")


@pytest.mark.parametrize(
    ("row", "form"),
    [
        (GOOD, "messages"),
        (PAIR, "preference"),
        ({"prompt": "a", "completion": "b"}, "prompt_completion"),
        ({"instruction": "a", "input": "", "output": "b"}, "alpaca"),
        ({"document": "a"}, "document"),
        ({"input_ids": [1], "labels": [1]}, "tokens"),
        ({"text": "a"}, None),
    ],
)
def test_formats_are_recognised_by_their_columns(row: dict[str, Any], form: str | None) -> None:
    found = Formats({"format": "auto", "formats": formats(), "accepts": []}).recognise(row)
    assert [each.name for each in found] == ([] if form is None else [form])


def test_other_kinds_of_files_are_read_too(node: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([GOOD, {"messages": []}], indent=1))
    (tmp_path / "rows.csv").write_text('messages\n"[]"\n')
    assert 'row 2: "messages" is empty (1 of 2 rows)' in only(check(node(path=str(tmp_path / "rows.json"))))
    assert 'row 1: "messages" is empty' in only(check(node(path=str(tmp_path / "rows.csv"))))
    (tmp_path / "rows.json").write_text("[1, 2")
    assert "cannot be read as .json" in only(check(node(path=str(tmp_path / "rows.json"))))


@pytest.mark.needs("pyarrow")
def test_parquet_is_read_too(node: Make, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = str(tmp_path / "rows.parquet")
    parquet.write_table(pa.Table.from_pylist([GOOD, {"messages": []}]), path)
    assert 'row 2: "messages" is empty (1 of 2 rows)' in only(check(node(path=path)))
    Path(path).write_text("not parquet")
    assert "cannot be read as .parquet" in only(check(node(path=path)))


def test_checking_imports_nothing_heavy() -> None:
    code = (
        "import sys, training_hub.data.check\n"
        "print([m for m in ('torch', 'transformers', 'numpy', 'pyarrow', 'datasets', 'tokenizers', 'pydantic') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_hundred_thousand_rows_are_checked_in_seconds(node: Make) -> None:
    data = node([GOOD])
    Path(data["path"]).write_text((json.dumps(GOOD) + "\n") * 100_000)
    started = time.process_time()
    assert check(data) == []
    assert time.process_time() - started < 5


TWICE = '{"messages": [], "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (TWICE, '"messages" is given twice'),
        (json.dumps(GOOD).replace('"content": "a"', '"content": "a", "content": "c"'), '"content" is given twice'),
        (json.dumps(GOOD)[:-1] + ', "tools": {"a": {"b": 1, "b": 1}}}', '"b" is given twice'),
        ('{"messages": ' + "[" * 150 + "]" * 150 + "}", "nested deeper than 100 levels"),
        ('{"messages": ' + '[{"a": ' * 5000 + "1" + "}]" * 5000 + "}", "nested deeper than 100 levels"),
        (json.dumps(GOOD | {"tools": '[{"name": "f", "name": "g"}]'}), 'JSON text in it: "name" is given twice'),
    ],
)
def test_json_that_is_not_one_clear_thing_is_named(node: Make, line: str, problem: str) -> None:
    assert f"line 2: {problem} (1 of 2 lines)" in only(check(node([GOOD, line])))


def test_a_list_of_rows_is_read_as_strictly(node: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(f"[{TWICE}]")
    assert only(check(node(path=str(tmp_path / "rows.json")))).endswith(
        'cannot be read as .json: "messages" is given twice'
    )
    (tmp_path / "rows.json").write_text("[" * 100_000)
    assert "cannot be read as .json: " in only(check(node(path=str(tmp_path / "rows.json"))))


def test_text_that_looks_like_an_object_stays_text(node: Make) -> None:
    assert check(node([{"prompt": '{"a": 1, "a": 2}', "completion": '{"a": 2}'}])) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prompt,completion,prompt\na,b,c\n", 'cannot be read as .csv: the column "prompt" is there twice'),
        ("prompt,completion,,\na,b,,\n", 'cannot be read as .csv: the column "" is there twice'),
        ("prompt,completion\na,b\na,b,c\n", "row 2: has more fields than the first line (1 of 2 rows)"),
        ("prompt,completion,note\na,b,\na,b\n", "row 2: has fewer fields than the first line (1 of 2 rows)"),
        ('prompt,completion\na,"b\na,b\na,b\n', "cannot be read as .csv: unexpected end of data"),
    ],
)
def test_columns_and_fields_of_csv_are_counted(node: Make, tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    assert only(check(node(path=str(tmp_path / "rows.csv")))).endswith(problem)


def test_a_column_that_parquet_has_twice_is_named(node: Make, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 3, names=["prompt", "completion", "prompt"])
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "rows.parquet")
    assert only(check(node(path=str(tmp_path / "rows.parquet")))).endswith('the column "prompt" is there twice')
