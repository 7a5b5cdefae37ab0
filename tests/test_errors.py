"""How the faults of many runs are told together."""

from __future__ import annotations

from training_hub.errors import merged


def test_values_that_break_the_same_rule_share_a_line() -> None:
    assert merged(["lr=-1: too low", "sed=1: unknown", "lr=-2: too low", "lr=-1: too low", "lr=9: too high"]) == [
        "lr=-1,-2: too low",
        "sed=1: unknown",
        "lr=9: too high",
    ]


def test_of_many_such_values_a_few_are_shown() -> None:
    assert merged(f"seed=-{number}: too low" for number in range(1, 8)) == ["seed=-1,-2,-3,-4,-5,... (2 more): too low"]


def test_a_fault_without_a_value_or_a_rule_stays_as_it_is() -> None:
    faults = ["model_path: missing; add model_path=...", "d={a: 1, b: 2}: no path", "something else", "x=1"]
    assert merged([*faults, *faults]) == faults
