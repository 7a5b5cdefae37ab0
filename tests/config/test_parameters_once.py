"""A parameter that a node takes as it is has its type, its bounds and its meaning in one place."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from training_hub.config.groups import CONF
from training_hub.params import Checked, Params, param, takes
from training_hub.train import composed

PAIRS = [f"{file.parent.name}/{file.stem}" for file in (CONF / "recipe").glob("*/*.yaml")]


def described(owner: type[BaseModel], name: str) -> tuple[str | None, str, str]:
    field = owner.model_fields[name]
    return field.description, str(field.annotation), str(field.metadata)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_setting_that_follows_a_parameter_says_nothing_of_its_own(pair: str) -> None:
    algorithm, backend = pair.split("/")
    adapter = [] if algorithm not in ("sft", "dpo") or backend != "trl" else ["adapter=lora"]
    composition = composed([f"algorithm={algorithm}", f"backend={backend}", *adapter])
    schema = composition.schema
    owners = {name: owner for owner in schema.params for name in owner.model_fields}
    for source in composition.sources:
        for key, parameter in source.follows.items():
            path, _, name = key.rpartition(".")
            node = schema.nodes.get(path)
            if node is None or name not in node.model_fields or path == "launcher":
                continue
            assert described(node, name) == described(owners[parameter], parameter), key


def test_a_class_takes_parameters_of_another_under_its_own_names() -> None:
    @takes(Params, "packing", rows="effective_batch_size")
    class Node(Checked):
        """Its own."""

        other: int = param("of its own")

    assert Node.__doc__ == "Its own."
    assert described(Node, "rows") == described(Params, "effective_batch_size")
    assert list(Node.model_fields) == ["other", "packing", "rows"]
    with pytest.raises(ValueError, match="greater than 0"):
        Node.model_validate({"other": 1, "packing": True, "rows": 0})


def test_what_does_not_exist_cannot_be_taken() -> None:
    with pytest.raises(KeyError, match="no_such"):
        takes(Params, "no_such")
