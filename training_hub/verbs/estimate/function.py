"""`estimate()` of Python: the memory of a run under the arguments that training methods are known by."""

from __future__ import annotations

from typing import Any, NamedTuple

from training_hub.config.choices import options
from training_hub.config.groups import GROUPS
from training_hub.config.overrides import override_texts
from training_hub.errors import ConfigError, fault, suggestion
from training_hub.terminal import say
from training_hub.verbs.estimate import answer, configured
from training_hub.verbs.estimate.memory import held, place_of, proxy_of

# Method -> what it is here. Every algorithm is one too.
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"algorithm": "lora_sft"},
    "qlora": {"algorithm": "lora_sft", "load_in_4bit": True},
}


class Range(NamedTuple):
    """Bytes that one process holds at its worst moment: at least, most likely, at most."""

    low: int
    expected: int
    high: int


def estimate(
    training_method: str = "sft",
    num_gpus: int = 8,
    gpu_memory: int = 80 * 2**30,
    model_path: str | None = None,
    batch_size: int | None = None,
    max_seq_len: int | None = None,
    max_tokens_per_gpu: int | None = None,
    verbose: int = 1,
    **parameters: Any,
) -> Range:
    """Estimate the memory that training takes on each GPU. Nothing of the model but its config is loaded.

    training_method: an algorithm, `lora` or `qlora`. gpu_memory: bytes of one GPU. batch_size: rows of a step, over all
    GPUs. verbose: 0 prints nothing, 1 whether it fits, 2 the parts as well. parameters: any other of the algorithm's,
    under its own name or the one that the functions take. ConfigError as for a run.
    """
    known = {**{name: {"algorithm": name} for name in options("algorithm")}, **METHODS}
    if training_method not in known:
        way = suggestion(training_method, known) or f"choose from {', '.join(known)}"
        raise ConfigError(fault("training_method", training_method, "no such method", way))
    named = {
        "model_path": model_path, "nproc_per_node": num_gpus, "effective_batch_size": batch_size,
        "max_seq_len": max_seq_len, "max_tokens_per_gpu": max_tokens_per_gpu, **parameters,
    }  # fmt: skip
    given = known[training_method] | {name: value for name, value in named.items() if value is not None}
    composition, config = configured.configured(override_texts(given, GROUPS))
    place = place_of(config, gpu_memory / 2**30)
    [memory] = held([proxy_of(composition, config, place)], config["backend"]["python"])
    if verbose:
        text = list(answer.lines(f"{training_method} on {composition.choices['backend']}", config, memory, place))
        say("\n".join(text if verbose > 1 else text[-1:]))
    return Range(*(round(gb * 1e9) for gb in (memory.low, memory.expected, memory.high)))
