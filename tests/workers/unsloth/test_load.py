"""What unsloth is told, and what is made of its answer; in its place stands what records the one and loads plainly."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from training_hub.errors import ConfigError

pytestmark = [
    pytest.mark.needs("trl", "torch", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by PEFT
]
MakeRun = Callable[..., Any]
LORA = {
    "_target_": "peft.LoraConfig", "r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear",
    "init_lora_weights": True, "rank_pattern": {}, "alpha_pattern": {}, "loftq_config": {},
}  # fmt: skip
WHOLE = {
    "load_in_4bit": False, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "float32",
    "bnb_4bit_use_double_quant": True,
}  # fmt: skip


class Recorder:
    """FastLanguageModel's two functions: what they were told, and models of transformers and PEFT."""

    def __init__(self) -> None:
        self.load: dict[str, Any] = {}
        self.adapt: dict[str, Any] = {}

    def from_pretrained(self, model_name: str, **given: Any) -> tuple[Any, None]:
        from transformers import AutoModelForCausalLM

        self.load = given
        return AutoModelForCausalLM.from_pretrained(model_name, dtype=given["dtype"]), None

    def get_peft_model(self, model: Any, **given: Any) -> Any:
        from peft import LoraConfig, get_peft_model

        self.adapt = given
        own = ("random_state", "use_gradient_checkpointing")
        return get_peft_model(model, LoraConfig(**{name: value for name, value in given.items() if name not in own}))


@pytest.fixture
def unsloth(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=recorder))
    monkeypatch.delitem(sys.modules, "training_hub.workers.unsloth.load", raising=False)
    return recorder


@pytest.fixture
def load(make_run: MakeRun, tiny: Any) -> Callable[..., Any]:
    """Load for a run; data and model take changes, and so does how the weights are held."""

    def load(data: dict[str, Any] | None = None, bits: dict[str, Any] | None = None, longest: int = 30) -> Any:
        import numpy as np

        from training_hub.workers.unsloth.load import model_and_adapter

        run = make_run(data=data or {}, adapter={"merge": False, "quantization": WHOLE | (bits or {}), "peft": LORA})
        config = run.read_config()
        config["backend"] |= {
            "load": {"_target_": "x", "model_name": str(tiny), "use_exact_model_name": True},
            "adapt": {"_target_": "x", "random_state": 7, "use_gradient_checkpointing": "unsloth"},
        }
        rows = SimpleNamespace(lengths=np.array([4, longest]))
        return model_and_adapter(config, {"bf16": False}, SimpleNamespace(train=rows, eval=None))  # type: ignore[arg-type]

    return load


def test_it_is_told_everything_that_it_would_decide_otherwise(unsloth: Recorder, load: Callable[..., Any]) -> None:
    import torch

    model, plain = load({"max_seq_len": 100})
    assert unsloth.load == {
        "use_exact_model_name": True, "load_in_4bit": False, "load_in_8bit": False, "dtype": torch.float32,
        "max_seq_length": 100,
    }  # fmt: skip
    given = {name: value for name, value in LORA.items() if name != "_target_"}
    assert unsloth.adapt == given | {"random_state": 7, "use_gradient_checkpointing": "unsloth"}
    assert model.base_model.model is plain
    assert not model.training


@pytest.mark.parametrize(("asked", "longest", "told"), [(4096, 30, 256), (64, 30, 64), (64, 90, 90)])
def test_positions_are_never_stretched(
    unsloth: Recorder, load: Callable[..., Any], asked: int, longest: int, told: int
) -> None:
    load({"max_seq_len": asked}, longest=longest)
    assert unsloth.load["max_seq_length"] == told  # the model has 256 positions


def test_rows_that_the_model_was_not_made_for_are_refused(unsloth: Recorder, load: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError) as error:
        load({"max_seq_len": 4096}, longest=300)
    rule = "the longest row has 300 tokens, and unsloth would stretch the model's 256 positions to them"
    assert error.value.faults == (f"max_seq_len=4096: {rule}; give at most 256",)


@pytest.mark.parametrize("name", ["load_in_4bit", "load_in_8bit"])
def test_weights_that_are_not_held_as_was_asked_are_noticed(
    unsloth: Recorder, load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("transformers.BitsAndBytesConfig", SimpleNamespace)  # the genuine one asks for bitsandbytes
    with pytest.raises(ConfigError, match=f"^{name}=true: unsloth holds the weights otherwise here; use backend=trl$"):
        load(bits={name: True})
    assert unsloth.load[name] is True
    assert ("quantization_config" in unsloth.load) == (name == "load_in_4bit")
