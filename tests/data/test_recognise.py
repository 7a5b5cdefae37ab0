"""Which format a row has: all columns of it must be there, and no further column decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats import formats
from training_hub.data.check import check
from training_hub.data.formats.base import Format
from training_hub.data.recognise import Formats
from training_hub.errors import ConfigError

KINDS = ["labelled", "pairs", "prompts"]
Make = Any


def of(*accepts: str, form: str = "auto", **more: dict[str, Any]) -> Formats:
    return Formats({"format": form, "formats": formats() | more, "accepts": list(accepts)})


EVERY = of(*KINDS).every
COLUMNS = sorted({column for form in EVERY.values() for column in form.columns})
rows = st.sets(st.sampled_from([*COLUMNS, "id", "score", "tools"])).map(lambda names: dict.fromkeys(names, "x"))
accepted = st.lists(st.sampled_from([*KINDS, *EVERY]), min_size=1, max_size=4)
examples = settings(max_examples=150, derandomize=True, deadline=None, database=None)


def names(found: list[Format]) -> list[str]:
    return [each.name for each in found]


@examples
@given(row=rows, accepts=accepted)
def test_a_row_has_all_columns_of_the_formats_that_it_may_have(row: dict[str, Any], accepts: list[str]) -> None:
    for form in of(*accepts).recognise(row):
        assert set(form.columns) <= set(row)


@examples
@given(row=rows, accepts=accepted, further=st.sampled_from(["id", "score", "rejected", "completion", "labels"]))
def test_a_further_column_never_takes_a_format_away(row: dict[str, Any], accepts: list[str], further: str) -> None:
    known = of(*accepts)
    before = [each for each in known.recognise(row) if each.name in known.accepted]
    assert set(names(before)) <= set(names(known.recognise({**row, further: "x"})))


@examples
@given(row=rows, accepts=accepted)
def test_what_the_algorithm_accepts_comes_first(row: dict[str, Any], accepts: list[str]) -> None:
    known = of(*accepts)
    fitting = [name for name, each in known.accepted.items() if each.matches(row)]
    assert names(known.recognise(row)) == fitting or not fitting


@examples
@given(row=rows, name=st.sampled_from(sorted(EVERY)))
def test_a_format_that_is_named_is_not_looked_for(row: dict[str, Any], name: str) -> None:
    assert names(of(*KINDS, form=name).recognise(row)) == [name]


@pytest.mark.parametrize(
    ("columns", "accepts", "fitting"),
    [
        (["messages", "chosen", "rejected", "prompt"], "pairs", ["preference"]),
        (["messages", "chosen", "rejected", "prompt"], "labelled", ["messages"]),
        (["prompt", "completion"], "prompts", ["prompt"]),
        (["prompt", "completion"], "labelled", ["prompt_completion"]),
        (["chosen", "rejected"], "pairs", []),
        (["input_ids"], "labelled", []),
        (["prompt", "answer"], "prompts", ["prompt"]),
    ],
)
def test_columns_and_the_algorithm_decide_together(columns: list[str], accepts: str, fitting: list[str]) -> None:
    assert names(of(accepts).recognise(dict.fromkeys(columns, "x"))) == fitting


def test_two_formats_that_fit_are_an_error_that_names_the_setting(node: Make) -> None:
    row = {"prompt": "p", "completion": "c", "document": "d"}
    data = node([row])
    assert check(data) == [
        f"data_path={data['path']}: the columns prompt, completion, document may be those of document or "
        "prompt_completion; choose one: data.format=document or data.format=prompt_completion"
    ]
    assert check(node([row], format="document")) == []


def test_the_nearest_format_says_what_it_lacks(node: Make) -> None:
    [text] = check(node([{"chosen": "a", "rejected": "b"}], accepts=["pairs"]))
    assert 'are those of no known format, preference has "prompt" as well' in text


def test_columns_have_other_names_where_that_is_set(node: Make) -> None:
    renamed = {"_target_": "training_hub.data.formats.alpaca.Alpaca", "instruction": "q", "output": "a"}
    rows = [{"q": "x", "a": "y"}, {"q": "x", "a": ""}]
    [text] = check(node(rows, formats=formats() | {"mine": renamed}))
    assert 'line 2: "a" is empty' in text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"_target_": "os.path.join"}, "data.formats.mine._target_=os.path.join: code of os is not run from a config"),
        ({"_target_": "training_hub.run.RunDir"}, "no training_hub.data.formats.base.Format"),
        ({"_target_": "training_hub.data.formats.base.Format"}, "is abstract"),
        ({"_target_": "training_hub.data.formats.prompt.Prompt", "colum": "x"}, "unexpected keyword argument 'colum'"),
    ],
)
def test_a_class_that_is_no_format_is_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of("labelled", mine=settings)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
