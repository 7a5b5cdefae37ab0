"""What is told about prepared data."""

from __future__ import annotations

from typing import Any

from training_hub.data.notes import warnings


def part(**changes: Any) -> dict[str, Any]:
    return {"path": "rows.jsonl", "rows_read": 2000, "left_out": {}, "notes": {}} | changes


def test_nothing_is_told_of_data_that_is_as_in_generation() -> None:
    assert warnings({"train": part(), "eval": None}) == []
    assert warnings({}) == []


def test_a_warning_counts_the_rows_and_says_what_can_be_done() -> None:
    note = "the assistant's last turn ends with <|im_end|>, and generation only with </s>"
    assert warnings({"train": part(notes={note: 1200}), "eval": None}) == [
        f"data_path=rows.jsonl: 1,200 of 2,000 rows: {note}; so generation may not stop; "
        "data.end_of_turn=TOKEN adds one that ends it"
    ]


def test_what_the_template_leaves_out_is_told_too() -> None:
    assert warnings({"train": part(left_out={"reasoning": 3})}) == [
        "data_path=rows.jsonl: 3 of 2,000 rows: the chat template does not write their reasoning"
    ]


def test_only_the_most_frequent_notes_are_told() -> None:
    lines = warnings({"train": part(notes={f"note {number}": number + 1 for number in range(8)})})
    assert [line.split(": ")[-1] for line in lines[:5]] == ["note 7", "note 6", "note 5", "note 4", "note 3"]
    assert lines[5:] == ["data_path=rows.jsonl: 3 more kinds of such rows, in manifest.json"]


def test_a_foreign_report_is_no_traceback() -> None:
    assert warnings({"train": "x", "eval": {"notes": {"a": "b"}}}) == []
