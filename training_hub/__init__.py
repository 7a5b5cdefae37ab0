"""training_hub: one declarative framework over the libraries that fine-tune language models.

Names are resolved when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

_NAMES = {
    "Algorithm": "training_hub.algorithms.base",
    "AlgorithmRegistry": "training_hub.registry",
    "Backend": "training_hub.backends.base",
    "ConfigError": "training_hub.errors",
    "DPOAlgorithm": "training_hub.algorithms.dpo",
    "EarlyStopping": "training_hub.callbacks",
    "InstructLabTrainingSFTBackend": "training_hub.backends.instructlab_training",
    "LoRASFTAlgorithm": "training_hub.algorithms.lora_sft",
    "MiniTrainerOSFTBackend": "training_hub.backends.mini_trainer",
    "OSFTAlgorithm": "training_hub.algorithms.osft",
    "RunDir": "training_hub.run",
    "RunFailed": "training_hub.errors",
    "RunInterrupted": "training_hub.errors",
    "SFTAlgorithm": "training_hub.algorithms.sft",
    "TrainResult": "training_hub.run",
    "TrainingHubCallback": "training_hub.callbacks",
    "TrainingHubContext": "training_hub.callbacks",
    "TrainingHubControl": "training_hub.callbacks",
    "create_algorithm": "training_hub.registry",
    "dpo": "training_hub.algorithms.dpo",
    "estimate": "training_hub.tools.estimate.function",
    "lora_sft": "training_hub.algorithms.lora_sft",
    "plot_loss": "training_hub.results.plot",
    "osft": "training_hub.algorithms.osft",
    "sft": "training_hub.algorithms.sft",
}

__all__ = [
    "Algorithm",
    "AlgorithmRegistry",
    "Backend",
    "ConfigError",
    "DPOAlgorithm",
    "EarlyStopping",
    "InstructLabTrainingSFTBackend",
    "LoRASFTAlgorithm",
    "MiniTrainerOSFTBackend",
    "OSFTAlgorithm",
    "RunDir",
    "RunFailed",
    "RunInterrupted",
    "SFTAlgorithm",
    "TrainResult",
    "TrainingHubCallback",
    "TrainingHubContext",
    "TrainingHubControl",
    "__version__",
    "create_algorithm",
    "dpo",
    "estimate",
    "lora_sft",
    "osft",
    "plot_loss",
    "sft",
]

if TYPE_CHECKING:
    __version__: str
    from training_hub.algorithms.base import Algorithm
    from training_hub.algorithms.dpo import DPOAlgorithm, dpo
    from training_hub.algorithms.lora_sft import LoRASFTAlgorithm, lora_sft
    from training_hub.algorithms.osft import OSFTAlgorithm, osft
    from training_hub.algorithms.sft import SFTAlgorithm, sft
    from training_hub.backends.base import Backend
    from training_hub.backends.instructlab_training import InstructLabTrainingSFTBackend
    from training_hub.backends.mini_trainer import MiniTrainerOSFTBackend
    from training_hub.callbacks import EarlyStopping, TrainingHubCallback, TrainingHubContext, TrainingHubControl
    from training_hub.errors import ConfigError, RunFailed, RunInterrupted
    from training_hub.registry import AlgorithmRegistry, create_algorithm
    from training_hub.results.plot import plot_loss
    from training_hub.run import RunDir, TrainResult
    from training_hub.tools.estimate.function import estimate


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _NAMES:
        from training_hub.config.elsewhere import answer_in_python

        way = f"; {text}" if (text := answer_in_python(name)) else ""
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}{way}", name=name, obj=sys.modules[__name__]
        )
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def _version() -> str:
    """The installed distribution's version, which comes from the git tag that it was built from."""
    from importlib import metadata

    try:
        return metadata.version("training-hub")
    except metadata.PackageNotFoundError:  # imported by path, from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted(__all__)
