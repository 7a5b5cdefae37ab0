"""training_hub: one declarative framework over the libraries that fine-tune language models.

Names are resolved when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

_NAMES = {
    "Algorithm": "training_hub.interfaces.algorithm",
    "AlgorithmRegistry": "training_hub.registry",
    "Backend": "training_hub.interfaces.backend",
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
    "estimate": "training_hub.verbs.estimate.function",
    "lora_sft": "training_hub.algorithms.lora_sft",
    "plot_loss": "training_hub.results.plot",
    "osft": "training_hub.algorithms.osft",
    "sft": "training_hub.algorithms.sft",
}

# What only the original's Python package has -> what to use.
_OF_THE_ORIGINAL = {
    "lora_grpo, grpo, gepa, embedding_sft, LoRAGRPOAlgorithm, GEPAAlgorithm, EmbeddingSFTAlgorithm":
        "this algorithm is not available; AlgorithmRegistry.list_algorithms() names those that are",
    "UnslothLoRABackend": 'choose the backend by name: lora_sft(..., backend="unsloth")',
    "ARTLoRAGRPOBackend, VeRLLoRAGRPOBackend, GEPABackend, MLflowGEPABackend, SentenceTransformersBackend":
        "this backend is not available; AlgorithmRegistry.list_backends(ALGORITHM) names those that are",
    "BasicEstimator, OSFTEstimator, OSFTEstimatorExperimental, LoRAEstimator, QLoRAEstimator":
        'call estimate(training_method="sft", model_path=...)',
    "time_estimate, time_estimate_from_file, TimingEstimatorExperimental, profiling":
        "run `python -m training_hub estimate time=true ...`, which times a few steps",
    "PEFTExtender, LoRAPEFTExtender, peft_extender": "pass lora_r, lora_alpha, target_modules and the like",
    "visualization": "call plot_loss of the package itself: from training_hub import plot_loss",
    "hub_core, utils, checkpoint_manager": "not a part of this package; its Python API is training_hub.__all__",
    "JITCheckpointCallback": 'drop it: SIGTERM always saves and stops, and resume="auto" resumes',
    "RemoteCheckpointSyncCallback": "not available; give output_dir a folder of a mounted volume",
    "merge_default_callbacks": "pass the callbacks themselves: sft(..., callbacks=[...])",
    "tool_call_reward, binary_reward, ITSRollout": "rewards are not available",
    "welcome": "drop it; training_hub.__version__ says which version is installed",
    "get_torchrun_params": "pass nproc_per_node, nnodes and the like; torchrun's environment variables are read",
}  # fmt: skip

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
    from training_hub.algorithms.dpo import DPOAlgorithm, dpo
    from training_hub.algorithms.lora_sft import LoRASFTAlgorithm, lora_sft
    from training_hub.algorithms.osft import OSFTAlgorithm, osft
    from training_hub.algorithms.sft import SFTAlgorithm, sft
    from training_hub.backends.instructlab_training import InstructLabTrainingSFTBackend
    from training_hub.backends.mini_trainer import MiniTrainerOSFTBackend
    from training_hub.callbacks import EarlyStopping, TrainingHubCallback, TrainingHubContext, TrainingHubControl
    from training_hub.errors import ConfigError, RunFailed, RunInterrupted
    from training_hub.interfaces.algorithm import Algorithm
    from training_hub.interfaces.backend import Backend
    from training_hub.registry import AlgorithmRegistry, create_algorithm
    from training_hub.results.plot import plot_loss
    from training_hub.run import RunDir, TrainResult
    from training_hub.verbs.estimate.function import estimate


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _NAMES:
        text = next((text for names, text in _OF_THE_ORIGINAL.items() if name in names.split(", ")), "")
        way = f"; {text}" if text else ""
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
