"""Load the model's tokenizer, the same way in every worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, fault

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
        tokenizer.chat_template = Path(chat_template).read_text()
    return tokenizer


def where(model: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of every from_pretrained: which version of a model, and whether its code may run."""
    return {"revision": model["revision"] or "main", "trust_remote_code": model["trust_remote_code"]}


def first_line(error: Exception) -> str:
    """What a library says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
