"""Check a model's weights before a run that nobody attends: a job may wait for days, and fail in its first minute.

Names and shapes are compared with the architecture, by a process under the worker's interpreter: it takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from training_hub.ask import answer
from training_hub.errors import ConfigError, RunFailed
from training_hub.terminal import say
from training_hub.trainers.base import ModelKind

_WORKER = "training_hub.workers.weights_check"

# The node `model` of a run, the interpreter of its worker, and the kind of model that its trainer makes.
Asked = tuple[Mapping[str, Any], str | None, ModelKind]
_checked: list[Asked] = []


def must_fit(models: Iterable[Asked]) -> None:
    """Check some runs' models, each once in this process. ConfigError with the faults of all of them."""
    faults = [text for model in models if model not in _checked for text in _faults(*model)]
    if faults:
        raise ConfigError(*dict.fromkeys(faults))


def _faults(node: Mapping[str, Any], python: str | None, kind: ModelKind) -> tuple[str, ...]:
    try:
        answer(_WORKER, {"model": node, "kind": kind._asdict()}, python)
    except ConfigError as error:
        return error.faults
    except RunFailed as error:  # what keeps it from looking is no fault of the weights
        say(f"warning: the weights were not checked here; the job checks them: {str(error).splitlines()[-1]}")
    _checked.append((node, python, kind))
    return ()
