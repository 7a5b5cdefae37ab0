"""LoRA and its kin: DoRA, rank-stabilised LoRA, LoftQ and other initialisations, quantised base models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from training_hub.errors import enumerate_names, fault
from training_hub.installed.interpreter import missing_requirements
from training_hub.interfaces.adapter import RESERVED, Adapter, AdapterNode
from training_hub.machine import hardware
from training_hub.model_files import ITEM_SIZES, MemoryFloor, Size
from training_hub.params import Checked, Text, param, takes

Rank = Annotated[int, Field(gt=0)]
# These change the model's own weights: the adapter alone would not fit the model that it came from.
CHANGES_THE_MODEL = ("pissa", "olora", "loftq")


class LoRAParams(Checked):
    """The parameters of LoRA."""

    lora_r: int = param("rank of the adapter", gt=0)
    lora_alpha: int = param("scaling of the adapter: its output is multiplied by lora_alpha / lora_r", gt=0)
    lora_dropout: float = param("dropout of the adapter's inputs during training", ge=0, lt=1)
    target_modules: list[Text] | None = param(
        "names, or suffixes of names, of the modules to adapt; null: every linear layer except the head", min_length=1
    )
    use_rslora: bool = param("rank-stabilised LoRA: scale by lora_alpha / sqrt(lora_r) instead")
    use_dora: bool = param("DoRA: train the magnitude of each matrix's columns as well")
    init_lora_weights: (
        bool
        | Literal["gaussian", "orthogonal", "pissa", "olora", "loftq"]
        | Annotated[str, Field(pattern=r"^pissa_niter_\d+$")]
    ) = param("initialisation of the adapter; true: no change to the model; pissa_niter_16: PiSSA with a fast SVD")
    rank_pattern: dict[str, Rank] = param("different ranks for some modules: {regular expression of names: rank}")
    alpha_pattern: dict[str, Rank] = param(
        "different lora_alpha for some modules: {regular expression of names: alpha}"
    )
    loftq_config: dict[Literal["loftq_bits", "loftq_iter"], Annotated[int, Field(gt=0)]] = param(
        "for init_lora_weights=loftq: {loftq_bits: 4, loftq_iter: 1}"
    )
    load_in_4bit: bool = param("QLoRA: load the model's own weights in 4 bits")
    load_in_8bit: bool = param("load the model's own weights in 8 bits")
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = param("the 4-bit type: normal float or float")
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] = param(
        "data type that 4-bit weights are unpacked to"
    )
    bnb_4bit_use_double_quant: bool = param("quantise the constants of the 4-bit blocks as well")
    merge: bool = param(
        "merge the adapter into the model at the end, and save a plain model instead of an adapter",
        may_change=True,
    )


@takes(LoRAParams, "merge")
class LoRANode(AdapterNode):
    """`adapter`: LoRA."""

    quantization: dict[str, Any] = param("quantisation of the model's own weights")


@takes(
    LoRAParams,
    "load_in_4bit",
    "load_in_8bit",
    "bnb_4bit_quant_type",
    "bnb_4bit_compute_dtype",
    "bnb_4bit_use_double_quant",
)
class QuantizationNode(Checked):
    """`adapter.quantization`: arguments of transformers.BitsAndBytesConfig."""


class LoRAAdapter(Adapter):
    """Trains a pair of small matrices next to each weight matrix; the model's own weights are frozen."""

    Params: ClassVar[type[Checked]] = LoRAParams
    Nodes: ClassVar[Mapping[str, type[Checked]]] = {"adapter": LoRANode, "adapter.quantization": QuantizationNode}
    reserved: ClassVar[Mapping[str, str]] = RESERVED

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """Settings that PEFT would ignore or fail on, and libraries that only some settings need."""
        node, python = config["adapter"], config["backend"]["python"]
        return [*_initialisation(node, python), *_quantization(node, python)]

    def memory_floor(self, config: Mapping[str, Any], size: Size) -> MemoryFloor:
        """The weights in the least type that they may be held in; the adapter is left out."""
        bits = config["adapter"]["quantization"]
        if bits["load_in_4bit"] or bits["load_in_8bit"]:
            return MemoryFloor(size.parameters // 2 if bits["load_in_4bit"] else size.parameters)
        least = 2 if size.stored < 3 * size.parameters else 4  # auto: the type of the files, or float32
        return MemoryFloor(ITEM_SIZES.get(config["model"]["dtype"], least) * size.parameters)


def _initialisation(node: Mapping[str, Any], python: str | None) -> Iterator[str]:
    how, loftq = node["peft"]["init_lora_weights"], node["peft"]["loftq_config"]
    if loftq and how != "loftq":
        yield fault("loftq_config", loftq, f"init_lora_weights={_shown(how)} does not use it", "drop it")
    if how == "loftq" and not loftq:
        yield fault("init_lora_weights", how, "needs loftq_config", "add loftq_config={loftq_bits:4}")
    if str(how).startswith(CHANGES_THE_MODEL) and not node["merge"]:
        rule = "changes the model's own weights, so that the adapter alone would not fit the model"
        yield fault("init_lora_weights", how, rule, "add merge=true")
    if how == "loftq" and not hardware.gpus():
        yield fault("init_lora_weights", how, "PEFT computes it on a GPU only, none here", "use pissa or olora")
    elif how == "loftq" and (missing := missing_requirements(["bitsandbytes>=0.46", "scipy"], python)):
        install = " ".join(f"'{each}'" for each in missing)
        yield fault("init_lora_weights", how, f"not installed: {enumerate_names(missing)}", f"pip install {install}")


def _quantization(node: Mapping[str, Any], python: str | None) -> Iterator[str]:
    chosen = [name for name in ("load_in_4bit", "load_in_8bit") if node["quantization"][name]]
    if len(chosen) == 2:
        yield fault("load_in_8bit", True, "load_in_4bit=true is set as well", "keep one of the two")
    for name in chosen:
        if missing := missing_requirements(["bitsandbytes>=0.46"], python):
            yield fault(name, True, f"not installed: {missing[0]}", "pip install bitsandbytes")
        how = node["peft"]["init_lora_weights"]
        if not isinstance(how, bool) and how not in ("gaussian", "orthogonal"):
            yield fault(
                "init_lora_weights", how, f"takes the model's weights apart, and {name}=true packs them", f"drop {name}"
            )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
