"""Which tokens end generation, as the files beside a model say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training_hub.workers.tokenizer import ends_generation


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        ({"generation_config.json": {"eos_token_id": [7, 9]}, "config.json": {"eos_token_id": 2}}, [7, 9]),
        ({"generation_config.json": {"eos_token_id": 7}}, [7]),
        ({"generation_config.json": {}, "config.json": {"eos_token_id": 2}}, [2]),
        ({"config.json": {"eos_token_id": None}}, []),
        ({"generation_config.json": {"eos_token_id": ["x", True, 3]}}, [3]),
        ({"generation_config.json": [], "config.json": {"eos_token_id": 2}}, [2]),
        ({}, []),
    ],
)
def test_the_generation_config_comes_before_the_models(tmp_path: Path, files: dict[str, Any], ids: list[int]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert ends_generation({"path": str(tmp_path), "revision": None, "trust_remote_code": False}) == ids


def test_a_torn_generation_config_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text("{")
    (tmp_path / "config.json").write_text('{"eos_token_id": 2}')
    assert ends_generation({"path": str(tmp_path), "revision": None, "trust_remote_code": False}) == [2]
