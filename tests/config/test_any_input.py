"""Whatever is typed or written in a file is used, or refused in lines of its own; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from training_hub import ConfigError, catalogue, train
from training_hub.cli import main
from training_hub.config import strict_yaml
from training_hub.config.groups import CONF

NAMES = st.sampled_from(
    ["lr", "learning_rate", "seed", "recipe", "recipe.optim", "model", "data", "logger", "callbacks", "adapter",
     "backend", "algorithm", "experiment", "launcher", "defaults", "hydra", "output_dir", "lr_scheduler_kwargs",
     "nix", "a.b", ""]
)  # fmt: skip
KEYS = NAMES | st.booleans() | st.integers() | st.none() | st.floats() | st.dates() | st.text(max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
FEW = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def verdict(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit status of `explain`, and the lines on standard error."""
    capsys.readouterr()
    status = main(["explain", *words])
    return status, capsys.readouterr().err.splitlines()


def is_told(status: int, lines: list[str]) -> bool:
    return (status, lines) == (0, []) or (
        status == 2 and bool(lines) and not any("Traceback" in line for line in lines)
    )


@FEW
@given(tree=st.dictionaries(KEYS, TREES, max_size=4))
@example(tree={1: 2})
@example(tree={True: 1})
@example(tree={"a.b": 1})
@example(tree={"recipe": {"a.b": 1}})
@example(tree={"defaults": {"a": 1}})
@example(tree={"defaults": [1, None, {}]})
@example(tree={"model": None})
def test_any_tree_is_used_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], tree: object) -> None:
    (tmp_path / "experiment").mkdir(exist_ok=True)
    text = yaml.safe_dump(tree, allow_unicode=True)
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}", encoding="utf-8")
    status, lines = verdict([f"--config-dir={tmp_path}", "experiment=mine"], capsys)
    assert is_told(status, lines), (text, lines)


@FEW
@given(data=st.data())
def test_a_key_that_is_added_again_is_found(tmp_path: Path, data: st.DataObject) -> None:
    tree = data.draw(st.dictionaries(st.text("abc", min_size=1), SCALARS, min_size=1))
    flow = data.draw(st.booleans())
    again = data.draw(st.sampled_from(sorted(tree)))
    body = yaml.safe_dump({"x": tree}, default_flow_style=flow, allow_unicode=True, width=10_000)
    line = f"  '{again}': 1\n"
    text = body.rstrip().removesuffix("}").removesuffix("}") + f", '{again}': 1}}}}" if flow else body + line
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        strict_yaml.check(file, "mine.yaml")
    assert any("is given twice" in fault for fault in caught.value.faults), text


WORDS = st.tuples(
    st.sampled_from(["", "+", "++", "~"]), NAMES | st.text(max_size=4), st.sampled_from(["=", ""])
).flatmap(
    lambda start: st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ["1", "1e-5", "null", "[a]", "{a:1}", "{a:{b:2}}", "[]", "${lr}", "${nix}", "'a'", "sft", "trl", "none"]
        ),
    ).map(lambda value: "".join(start) + value)
)


@FEW
@given(words=st.lists(WORDS, max_size=3))
@example(words=["lr=1", "lr=2"])
@example(words=["defaults=[]"])
@example(words=["lr={a:1}", "lr.a=2"])
@example(words=["=1"])
def test_any_words_are_used_or_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    status, lines = verdict([f"{word}" for word in words if not word.startswith("-") and word], capsys)
    assert is_told(status, lines), (words, lines)


def test_the_shipped_files_are_read_as_strictly() -> None:
    for file in sorted(CONF.rglob("*.yaml")):
        strict_yaml.check(file, file.name)
    assert catalogue.names()
    assert train.composed([]).choices["algorithm"] == "sft"
