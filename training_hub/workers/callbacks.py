"""The user's callbacks in a worker: made from the config, called, and what they ask for."""

from __future__ import annotations

from typing import Any

from training_hub.callbacks import TrainingHubCallback, TrainingHubContext
from training_hub.errors import ConfigError, HubError, RunFailed, fault
from training_hub.installed.locate import CALLBACK, find_class


def make(config: dict[str, Any], *further: type) -> dict[str, Any]:
    """An instance of each class that the config names, by its name there.

    further: classes that are called otherwise. ConfigError for any other class, and for what cannot be made.
    """
    found, kinds = {}, [f"{each.__module__}.{each.__qualname__}" for each in further]
    for name, node in (config.get("callbacks") or {}).items():
        arguments = {key: value for key, value in node.items() if key != "_target_"}
        key = f"callbacks.{name}._target_"
        kind = find_class(node["_target_"], CALLBACK, *kinds, key=key)
        try:
            found[name] = kind(**arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(fault(key, node["_target_"], f"{type(error).__name__}: {error}")) from error
    return found


def call(name: str, callback: TrainingHubCallback, hook: str, context: TrainingHubContext) -> None:
    """Call a hook. RunFailed where it raises: a check that cannot fail a run is none."""
    try:
        getattr(callback, hook)(context)
    except HubError as error:
        raise RunFailed(f"callbacks.{name}.{error}") from error
    except Exception as error:
        raise RunFailed(f"callbacks.{name}: {hook}: {type(error).__name__}: {error}") from error


def collect(logged: dict[str, float], context: TrainingHubContext, name: str, hook: str) -> None:
    """Add what a callback has logged on rank 0 to what others have. RunFailed for a name that one of them has used."""
    if not context.is_main_process or not context.logged:
        return
    if hook == "on_metrics":
        raise RunFailed(f"callbacks.{name}: on_metrics cannot log: it is called for what is logged; use another hook")
    if taken := logged.keys() & context.logged.keys():
        raise RunFailed(f"callbacks.{name}: {hook}: another callback has logged {min(taken)}; choose another name")
    logged |= context.logged


def overrides(callback: TrainingHubCallback, hook: str) -> bool:
    """Whether a class does anything in a hook."""
    return getattr(type(callback), hook) is not getattr(TrainingHubCallback, hook)
