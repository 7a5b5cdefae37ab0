"""Which tokens end an assistant's turn, and which of them is added where the chat template writes none."""

from __future__ import annotations

from typing import Any

from training_hub.data.chat import Ending
from training_hub.errors import ConfigError, fault


def ending(tokenizer: Any, wanted: str) -> Ending:
    """What `data.end_of_turn` means for a tokenizer. ConfigError where it names no token of its own."""
    stops = _stops(tokenizer)
    if wanted == "auto":
        own = tokenizer.eos_token
        return Ending(own if own in stops or not stops else stops[0], stops=frozenset([*stops, own or ""]) - {""})
    if wanted == "template":
        return Ending(stops=frozenset([*stops, tokenizer.eos_token or ""]) - {""})
    known = [token.content for token in tokenizer.added_tokens_decoder.values()]
    if wanted not in known:
        rule = f"no special token of the tokenizer, which has {', '.join(known[-8:]) or 'none'}"
        raise ConfigError(fault("data.end_of_turn", wanted, rule, "give one of them, auto, or template"))
    return Ending(wanted, always=True, stops=frozenset([wanted]))


def _stops(tokenizer: Any) -> list[str]:
    """The tokens that the generation config names."""
    ids = [number for number in getattr(tokenizer, "ends_generation", ()) if 0 <= number < len(tokenizer)]
    return [token for token in tokenizer.convert_ids_to_tokens(ids) if token]
