"""`~NAME`: deletes a setting of a library, and nothing that the program reads."""

from __future__ import annotations

import pytest

from tests.config.test_misspelled_keys import faults
from training_hub import train


def test_an_argument_of_the_library_is_deleted() -> None:
    assert "optim" not in train.composed(["~recipe.optim"]).cfg.recipe


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("~lr", "~lr: a parameter cannot be deleted; set it to null or to its default"),
        ("~eval_data_path", "~eval_data_path: a parameter cannot be deleted; set it to null or to its default"),
        ("~output_dir", "~output_dir: a parameter cannot be deleted; set it to null or to its default"),
        ("~recipe.optim=sgd", "~recipe.optim=sgd: its value is adamw_torch_fused; drop the value"),
        ("~recipe.a.b", "~recipe.a.b: there is no such setting; drop it"),
        ("~lr.a", "~lr.a: there is no such setting; drop it"),
        ("~experiment", "~experiment: none is chosen where it is left out; drop it"),
        ("~experiment=mine", "~experiment=mine: none is chosen where it is left out; drop it"),
    ],
)
def test_what_cannot_be_deleted_is_refused(word: str, fault: str) -> None:
    assert faults([word]) == [fault]
