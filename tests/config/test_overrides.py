"""A Python value becomes an override, and comes out of the composition as it went in."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training_hub import train
from training_hub.config import lookup
from training_hub.config.groups import GROUPS
from training_hub.config.overrides import override_texts
from training_hub.errors import ConfigError

PIECES = [
    "\\", "'", '"', ",", "[", "]", "{", "}", "=", ":", "$", "${lr}", "${", "}", "(", ")", " ", "\t", "#", "@", "+", "~",
    "%", "&", "!", "*", "/", "?", "|", "-", "null", "true", "1", "1e-3", "ünï", "🐈", "\u2028", "a", "\\'", "\\\\",
    "\\\\'", "<|im_end|>",
]  # fmt: skip
AWKWARD = [
    "", " ", "\\", "\\\\", "'", "\\'", "'\\", "\\\\'", "'\\\\'", '"', "it's", 'say "x"', "C:\\path\\", "a,b", "[a,b]",
    "{a:b}", "a=b", "=", "a:b", "null", "None", "true", "1", "1e-3", "nan", "inf", "???", "x y", " x ", "~x", "+x",
    "++x", "#x", "@x", "x@y:z", "$", "$x", "$(x)", "range(1,3)", "choice(a,b)", "glob(*)", "\t", "ünï", "🐈",
    "日本語", "\u2028", "%d", "%%", "<|im_end|>",
]  # fmt: skip


def there_and_back(value: Any) -> Any:
    """The value of a free mapping of the config, after it went through Hydra's grammar and was resolved."""
    [text] = override_texts({"lr_scheduler_kwargs": {"key": value}}, GROUPS)
    composition = train.composed([text])
    with composition.resolving() as cfg:
        return lookup.plain(cfg.lr_scheduler_kwargs)["key"]


def same(value: Any, other: Any) -> bool:
    """Equal, types included: 1 is neither True nor 1.0."""
    return repr(value) == repr(other)


def test_many_awkward_texts_come_back() -> None:
    dice = random.Random(3)
    made = ["".join(dice.choices(PIECES, k=dice.randint(1, 7))) for _ in range(400)]
    texts = AWKWARD + made
    assert there_and_back(texts) == texts


@pytest.mark.parametrize("text", ["", "\\", "it's", "a,b", "[a,b]", "a=b", "'\\\\'", "🐈", " x ", "null", "1", "\\'"])
def test_an_awkward_text_comes_back_as_a_parameter(text: str) -> None:
    composition = train.composed(override_texts({"data_path": text, "recipe": {"run_name": text}}, GROUPS))
    assert (composition.cfg.data_path, composition.cfg.recipe.run_name) == (text, text)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 10**20, 0.0, -0.5, 1e-8, 1e300, 1.0, 5e-06,
        [], [None], [[], [[]]], [1, "1", True, None, 1.0], ["a", ["b", ["c,d"]]],
        {}, {"a": {}}, {"a": {"b": [1, {"c": "it's"}]}}, {"a.b": 1}, {"a-b/c": 1, "_": 2, "x1": 3},
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_comes_back_with_its_type(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_infinity_and_not_a_number_come_back() -> None:
    assert same(
        there_and_back([float("inf"), -float("inf"), float("nan")]), [float("inf"), -float("inf"), float("nan")]
    )


def test_a_tuple_becomes_a_list() -> None:
    assert there_and_back((1, ("a",))) == [1, ["a"]]


def test_a_path_becomes_its_text() -> None:
    assert there_and_back(Path("a folder/it's")) == "a folder/it's"


def test_what_looks_like_a_reference_is_text() -> None:
    texts = ["${warmup_steps}", "a${warmup_steps}", "\\${warmup_steps}", "\\\\${lr}\\", "${", "a ${ b", "$${x}"]
    assert there_and_back(texts) == texts


def test_a_path_that_looks_like_a_reference_reaches_the_node_that_reads_it() -> None:
    composition = train.composed(override_texts({"data_path": "a ${lr}"}, GROUPS))
    with composition.resolving() as cfg:
        assert (cfg.data_path, cfg.data.path) == ("a ${lr}", "a ${lr}")


def test_numbers_of_numpy_become_plain_ones() -> None:
    assert same(there_and_back([np.float64(1e-5), np.int64(3), np.float32(0.5)]), [1e-05, 3, 0.5])
    assert same(there_and_back([np.bool_(True), np.array([1, 2]), np.array(0.5)]), [True, [1, 2], 0.5])
    assert override_texts({"packing": np.bool_(False)}, GROUPS) == ["packing=false"]


@pytest.mark.parametrize("value", [["jsonl", 3], 3, object], ids=repr)
def test_what_is_no_name_of_an_option_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^logger=.*: no name of an option; give a text, a list of texts, or a dict"):
        override_texts({"logger": value}, GROUPS)


@pytest.mark.parametrize("text", ["two\nlines", "\n", "a\r\nb"])
def test_a_text_of_several_lines_comes_back(text: str) -> None:
    assert there_and_back([text]) == [text]


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", 1j, [object()], {"a": b""}], ids=lambda each: type(each).__name__
)
def test_what_a_config_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^lr=(object|set|bytes|complex): .* cannot be written to a config; "):
        override_texts({"lr": value}, GROUPS)


@pytest.mark.parametrize(
    "key", ["", "it's", "a b", "a:b", "a,b", "ünï", "1", "1e3", "null", "True", "nan", "-a", 1, None, True], ids=repr
)
def test_a_key_that_would_not_come_back_is_refused(key: Any) -> None:
    with pytest.raises(ConfigError) as error:
        override_texts({"lr_scheduler_kwargs": {key: 1}}, GROUPS)
    rule = "such a key cannot be written to a config; use letters, digits and _-./"
    assert str(error.value) == f"lr_scheduler_kwargs={key!r}: {rule}"


def test_a_group_takes_an_option_or_settings() -> None:
    assert override_texts({"logger": "jsonl"}, GROUPS) == ["logger=jsonl"]
    assert override_texts({"logger": ["jsonl", "tensorboard"]}, GROUPS) == ["logger=[jsonl,tensorboard]"]
    assert override_texts({"model": {"dtype": "float32", "revision": None}}, GROUPS) == [
        "model.dtype='float32'",
        "model.revision=null",
    ]
