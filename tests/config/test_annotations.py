"""Values of a config against the annotations of libraries' arguments."""

from __future__ import annotations

from typing import Any

import pytest

from training_hub.config.annotations import fits
from training_hub.config.values import impossible


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (5, "int", True),
        (True, "int", False),
        (5, "float", True),
        (5, "bool", False),
        (None, "Optional[str]", True),
        (None, "str", False),
        (5, "None | str | list[str]", False),
        (["a", "b"], "None | str | list[str]", True),
        (["a", 5], "None | str | list[str]", False),
        (1e9, "dict | str | None", False),
        ({"a": 1}, "dict | str | None", True),
        ({"rope": 5}, "dict[str, bool] | None", False),
        ({"rope": True}, "dict[str, bool] | None", True),
        (5, "OptimizerNames | str", False),
        ("adamw_torch", "OptimizerNames | str", True),
        (5, "Optional[Union[str, TaskType]]", False),
        ({"a": [1]}, "Optional[Union[list[int], dict[str, list[int]]]]", True),
        ([[0, 4]], "Optional[list[tuple[int, int]]]", True),
        ("all", "Literal['none', 'all']", True),
        ("some", "Literal['none', 'all']", False),
        (1, "Literal[True]", False),
        ("pissa_niter_16", "bool | Literal['gaussian', 'pissa_niter_[number of iters]']", True),
        (5, "typing.Optional['EvaConfig']", False),
        ({"rho": 2.0}, "typing.Optional['EvaConfig']", True),
        (5, "typing.Optional['Number']", True),
        (5, "Something[", True),
        ("x", "", True),
    ],
)
def test_a_value_fits_what_an_annotation_names(value: Any, annotation: str, expected: bool) -> None:
    assert fits(value, annotation) is expected


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**23, -(2**63) - 1, [1, {"a": [10**20]}]])
def test_no_library_computes_with_such_a_number(value: Any) -> None:
    assert impossible(value)


@pytest.mark.parametrize("value", [2**63 - 1, 1e308, True, None, "inf", [1, {"a": 0.5}]])
def test_libraries_compute_with_such_a_number(value: Any) -> None:
    assert impossible(value) is None
