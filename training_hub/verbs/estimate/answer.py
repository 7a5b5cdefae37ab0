"""`estimate`: what a run holds and how long it takes, before it is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.terminal import say
from training_hub.verbs.estimate import configured, fit, trial
from training_hub.verbs.estimate.memory import Memory, Place, held, place_of, proxy_of
from training_hub.verbs.estimate.settings import EstimateSettings

KINDS = ("weights", "gradients", "optimizer", "activations", "logits", "workspace", "process")
_MEANINGS = {
    "activations": "kept for the gradients, copies of weights in another type included",
    "workspace": "passing",
    "process": "Python and the libraries, as measured here",
}


def estimate(asked: EstimateSettings, overrides: Sequence[str], folders: Sequence[str] = ()) -> int:
    """Print memory, or with time=true the time; 0, or 1 where the memory does not suffice. ConfigError as for a run."""
    if not asked.time and "steps" in asked.model_fields_set:
        raise ConfigError(fault("steps", asked.steps, "has no effect without time=true", "add it, or drop this"))
    if asked.time:
        say(trial.time_text(overrides, folders, asked.steps))
        return 0
    composition, config = configured.configured(overrides, folders)
    place = place_of(config, asked.gpu_memory_gib)
    [memory] = held([proxy_of(composition, config, place)], config["backend"]["python"])
    choices = composition.choices
    say("\n".join(lines(f"{choices['algorithm']} on {choices['backend']}", config, memory, place)))
    if place.has_gb is None or memory.high <= place.has_gb:
        return 0
    found = fit.fitting(overrides, folders, config, memory.tokens, place)
    say(f"with {found[0]}: {_range(found[1])}" if found else "nothing that was tried fits")
    return 0 if memory.low <= place.has_gb else 1


def lines(pair: str, config: Mapping[str, Any], memory: Memory, place: Place) -> Iterator[str]:
    """The estimate as text."""
    processes = config["launcher"]["world_size"]
    each = f"each of {processes} processes" if processes > 1 else "one process"
    rows = "" if config["data"].get("path") else ", rows of max_seq_len tokens; with data_path=... those that there are"
    yield f"{pair}: {memory.parameters:,} weights, {memory.trained:,} of them trained"
    yield f"{each} on {'a GPU' if place.gpu else 'processors'}, {memory.tokens:,} tokens at a time{rows}"
    yield ""
    for kind in KINDS:
        if kind in memory.parts:
            yield f"  {kind:<12}{memory.parts[kind]:9.2f} GB  {_MEANINGS.get(kind, '')}".rstrip()
    yield f"  {'in all':<12}{memory.expected:9.2f} GB  {memory.low:.2f} to {memory.high:.2f}, as allocators hold more"
    yield ""
    yield memory.verdict(place)


def _range(memory: Memory) -> str:
    return f"{memory.expected:.2f} GB ({memory.low:.2f} to {memory.high:.2f})"
