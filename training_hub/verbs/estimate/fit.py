"""Settings with which a run would fit: found by estimating again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training_hub import catalogue
from training_hub.config import twice
from training_hub.errors import ConfigError
from training_hub.verbs.estimate.configured import configured
from training_hub.verbs.estimate.memory import Memory, Place, held, proxy_of


def fitting(
    overrides: Sequence[str], folders: Sequence[str], config: Mapping[str, Any], tokens: int, place: Place
) -> tuple[str, Memory] | None:
    """The first change, as it is typed, that makes the run fit for certain, and what it then holds; None: none does."""
    changes, proxies = [], []
    for change in candidates(config, tokens, place):
        try:
            composition, changed = configured(twice.changed(overrides, change, catalogue.names()), folders)
        except ConfigError:  # not with this algorithm or backend
            continue
        changes.append(" ".join(change))
        proxies.append(proxy_of(composition, changed, place))
    if not proxies or place.has_gb is None:
        return None
    found = zip(changes, held(proxies, config["backend"]["python"]), strict=True)
    return next(((change, memory) for change, memory in found if memory.high <= place.has_gb), None)


def candidates(config: Mapping[str, Any], tokens: int, place: Place) -> Iterator[list[str]]:
    """What costs little first: time, then what is learned."""
    less = [f"max_tokens_per_gpu={max(1, tokens // part)}" for part in (2, 4)]
    again = ["gradient_checkpointing=true"]
    own = bool(config["adapter"])
    yield from ([less[0]], [less[1]], again, [less[1], *again])
    if not own:
        yield from (["adapter=lora"], ["adapter=lora", less[1], *again])
    yield [*([] if own else ["adapter=lora"]), "load_in_4bit=true", less[1], *again]
    processes = int(config["launcher"]["nproc_per_node"])
    if place.gpu:
        yield from ([f"nproc_per_node={processes * more}"] for more in (2, 4, 8))
