"""Load the model's tokenizer, the same way in every worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.model_files import largest_id

_MAY_BE_MISSING: dict[str, Any] = {
    f"_raise_exceptions_for_{what}": False for what in ("missing_entries", "connection_errors", "gated_repo")
}
WAY_OUT = "give a folder in Hugging Face format or an id on the hub (private models: set HF_TOKEN)"


def load(model: Mapping[str, Any], chat_template: str | None = None) -> Any:
    """The tokenizer of a model node, with a file's chat template where one is given. ConfigError where it fails."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model["path"], **where(model))
    except Exception as error:  # the library that parses the file raises bare Exception
        rule = f"its tokenizer does not load: {first_line(error)}"
        raise ConfigError(fault("model_path", model["path"], rule, WAY_OUT)) from error
    if chat_template:
        tokenizer.chat_template = Path(chat_template).read_text("utf-8")
    tokenizer.ends_generation = ends_generation(model)
    tokenizer.largest_id = largest_id(_content(model, "config.json"))
    return tokenizer


def ends_generation(model: Mapping[str, Any]) -> list[int]:
    """Ids of the tokens that end generation, as the generation config says, or the model's; [] where neither does."""
    for name in ("generation_config.json", "config.json"):
        ids = _content(model, name).get("eos_token_id")
        if ids is not None:
            return [number for number in (ids if isinstance(ids, list) else [ids]) if type(number) is int]
    return []


def _content(model: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a JSON file of a model says; {} where there is none, or none that can be read."""
    from transformers.utils import cached_file

    try:
        path = cached_file(model["path"], name, revision=where(model)["revision"], **_MAY_BE_MISSING)
        found = json.loads(Path(path).read_text()) if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def where(model: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of every from_pretrained: which version of a model, and whether its code may run."""
    return {"revision": model["revision"] or "main", "trust_remote_code": model["trust_remote_code"]}


def first_line(error: Exception) -> str:
    """What a library says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
