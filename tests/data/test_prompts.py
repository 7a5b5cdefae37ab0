"""Rows that are prompts: the prompt as it is asked, and every further column as it came."""

from __future__ import annotations

import datetime
import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_hub.data import kept
from training_hub.data.check import check
from training_hub.data.prepare import Prepared, prepare
from training_hub.data.rows import PromptRows
from training_hub.errors import ConfigError

TEMPLATE = str(Path(__file__).parent / "templates" / "smollm.jinja")
ASKED = [{"role": "user", "content": "Weather?"}]
Make = Any


def made(tokenizer: Any, node: Make, rows: list[Any] | None, **changes: Any) -> Prepared:
    return prepare(tokenizer, node(rows, **{"chat_template": TEMPLATE, "accepts": ["prompts"]} | changes))


def test_further_columns_arrive_with_their_types(tokenizer: Any, node: Make) -> None:
    further = {"answer": 72, "weight": 0.5, "easy": True, "none": None, "tests": [{"in": "1", "out": [2, None]}]}
    rows = made(tokenizer, node, [{"prompt": ASKED, **further}] * 2).train
    assert isinstance(rows, PromptRows)
    assert rows[1] == {"prompt": ASKED, **further}
    assert rows[:2] == [rows[0], rows[1]]
    assert [type(value) for value in rows[0].values()] == [list, int, float, bool, type(None), list]
    assert pickle.loads(pickle.dumps(rows))[0] == rows[0]


def test_the_tokens_end_where_the_answer_begins(tokenizer: Any, node: Make) -> None:
    rows = made(tokenizer, node, [{"prompt": ASKED}, {"prompt": "Weather?"}]).train
    texts = [tokenizer.decode(rows.tokens[number][0].tolist()) for number in range(2)]
    assert texts[0].endswith("<|im_start|>user\nWeather?<|im_end|>\n<|im_start|>assistant\n")
    assert texts[0] == texts[1]
    assert rows[1]["prompt"] == ASKED  # text is a user's turn where there is a template
    assert rows.trained.tolist() == [0, 0]


def test_text_stays_text_where_it_is_written_plain(tokenizer: Any, node: Make) -> None:
    rows = made(tokenizer, node, [{"prompt": "One and one is", "answer": "two"}], plain_text=True).train
    assert rows[0] == {"prompt": "One and one is", "answer": "two"}
    assert tokenizer.decode(rows.tokens[0][0].tolist()) == "One and one is"


def test_a_column_that_a_row_lacks_is_none(tokenizer: Any, node: Make) -> None:
    rows = made(tokenizer, node, [{"prompt": "a", "x": 1}, {"prompt": "b", "y": "2"}]).train
    assert rows.columns == ["prompt", "x", "y"]
    assert rows[0] == {"prompt": [{"role": "user", "content": "a"}], "x": 1, "y": None}


def test_held_out_prompts_keep_their_own_columns(tokenizer: Any, node: Make) -> None:
    given_rows = [{"prompt": f"question {number}", "number": number} for number in range(10)]
    prepared = made(tokenizer, node, given_rows, eval_fraction=0.3)
    assert prepared.eval is not None
    parts = [prepared.train[:], prepared.eval[:]]
    assert [len(part) for part in parts] == [7, 3]
    for row in [*parts[0], *parts[1]]:
        assert row["prompt"][0]["content"] == f"question {row['number']}"


def test_a_long_prompt_is_refused_or_dropped_and_never_cut(tokenizer: Any, node: Make) -> None:
    given_rows = [{"prompt": "a", "n": 0}, {"prompt": "word " * 200, "n": 1}, {"prompt": "c", "n": 2}]
    with pytest.raises(ConfigError) as caught:
        made(tokenizer, node, given_rows, max_seq_len=64)
    assert "line 2: " in str(caught.value)
    assert str(caught.value).endswith(
        "max_seq_len=64: raise it, or use data.too_long=drop, as a prompt is not truncated"
    )
    prepared = made(tokenizer, node, given_rows, max_seq_len=64, too_long="drop")
    assert [row["n"] for row in prepared.train[:]] == [0, 2]
    assert prepared.report["train"]["dropped"] == {"too long": 1}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": ""}, '"prompt" is empty'),
        ({"prompt": 3}, '"prompt" is not text'),
        ({"prompt": []}, '"prompt" is empty'),
        ({"prompt": None}, '"prompt" is missing'),
        ({"prompt": [*ASKED, {"role": "assistant", "content": "b"}]}, '"prompt" ends with the assistant'),
        ({"prompt": [{"role": "bot", "content": "b"}]}, "message 1: role 'bot' is none of"),
        ({"prompt": "a", "tools": "x"}, '"tools" is not a list of tool descriptions'),
    ],
)
def test_a_wrong_prompt_is_named(node: Make, row: dict[str, Any], problem: str) -> None:
    [text] = check(node([{"prompt": "a"}, row], accepts=["prompts"]))
    assert f"line 2: {problem}" in text


@pytest.mark.needs("pyarrow")
def test_columns_of_parquet_are_whole(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    when, price = datetime.datetime(2024, 2, 29, 12, 30), Decimal("1.50")
    given_rows = [
        {"prompt": ASKED, "when": when, "price": price, "raw": b"\x00\xff", "case": {"a": 1, "b": None}, "none": None},
        {"prompt": ASKED, "when": when, "price": price, "raw": b"", "case": {"a": None, "b": "x"}, "none": 1},
    ]
    parquet.write_table(pa.Table.from_pylist(given_rows), str(tmp_path / "rows.parquet"))
    rows = made(tokenizer, node, None, path=str(tmp_path / "rows.parquet")).train
    assert rows[:] == given_rows


def test_other_formats_leave_nulls_of_columnar_files_out(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    said = [*ASKED, {"role": "assistant", "content": "Rain.", "thinking": None}]
    pytest.importorskip("pyarrow.parquet").write_table(
        pa.Table.from_pylist([{"messages": said}]), str(tmp_path / "rows.parquet")
    )
    columnar = made(tokenizer, node, None, path=str(tmp_path / "rows.parquet"), accepts=["labelled"]).train
    plain = made(
        tokenizer, node, [{"messages": [*ASKED, {"role": "assistant", "content": "Rain."}]}], accepts=["labelled"]
    )
    assert columnar[0][0].tolist() == plain.train[0][0].tolist()


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.dates() | st.datetimes().map(lambda when: when.replace(fold=0))
    | st.times().map(lambda when: when.replace(fold=0)) | st.timedeltas() | st.decimals(allow_nan=False)
)  # fmt: skip
KEYS = st.text(max_size=5) | st.just("__python__")
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3) | st.tuples(inner, inner),
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(value=VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = kept.loads(kept.dumps(value))
    assert (found, repr(found)) == (value, repr(value))


def test_what_is_no_data_is_named(node: Make) -> None:
    with pytest.raises(TypeError):
        kept.dumps(object())
    assert json.loads(kept.dumps({"a": [1]})) == {"a": [1]}
