"""mini-trainer: osft and sft with the library's own script, weights sharded by FSDP2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from training_hub.backends.script import ScriptBackend, has_flash_attention, holds_out
from training_hub.errors import enumerate_names, fault
from training_hub.installed import signature
from training_hub.run import RunDir

_RESUME = "mini-trainer does not resume correctly: sft starts over and osft loses the optimizer's state"
_TRIGGERS = ("validation_frequency", "validate_at_epoch", "min_samples_per_validation", "validate_at_final")


class MiniTrainerBackend(ScriptBackend):
    """Trains with mini-trainer's `train.py` on one or many CUDA GPUs."""

    name: ClassVar[str] = "mini-trainer"
    module: ClassVar[str] = "mini_trainer.train"
    cannot_resume: ClassVar[str] = _RESUME
    reserved: ClassVar[Mapping[str, str]] = {
        "data_path": "data_path",
        "output_dir": "output_dir",
        "validation_data_path": "eval_data_path",
        "validation_split": "eval_fraction",
        "block_size": "block_size",
        "pretraining_config": "is_pretraining and block_size",
        "callbacks": "callbacks",
        "serialized_callbacks": "callbacks",
    }
    broken: ClassVar[Mapping[str, str]] = {
        "on_demand_checkpointing": f"{_RESUME}; use checkpoint_at_epoch=true",
        "resume_from_full_state_checkpoint": f"{_RESUME}; give a checkpoint as model_path",
    }

    def paths(self, config: Mapping[str, Any], run: RunDir) -> dict[str, Any]:
        """The options that say where the script reads and writes, and which matrices osft splits."""
        found = super().paths(config, run)
        if holds_out(config):
            found["validation_data_path"] = str(run.prepared / "eval.jsonl")
        if config["recipe"].get("osft") and config["recipe"]["osft_target_patterns"] is None:
            found["osft_target_patterns"] = _patterns(config["model"]["path"], self.search_path(config))
        return found

    def option(self, name: str, value: Any) -> list[str]:
        """One option as it is typed: `--some-option=value`, a list with commas."""
        text = ",".join(value) if isinstance(value, list) else value
        return super().option(name.replace("_", "-"), text)

    def schedulers(self, config: Mapping[str, Any]) -> list[str] | None:
        """Those of transformers."""
        return signature.members("transformers.trainer_utils.SchedulerType", self.search_path(config))

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """What mini-trainer cannot do, and what it is known to do wrongly."""
        return [*super().check(config), *_sdpa(config), *_evaluation(config), *_osft(config, self.search_path(config))]


MiniTrainerOSFTBackend = MiniTrainerBackend  # the name that users know from where it runs osft alone


def _sdpa(config: Mapping[str, Any]) -> list[str]:
    """mini-trainer looks for flash-attn by itself and takes it wherever it is."""
    if config["model"]["attn_implementation"] != "sdpa" or not has_flash_attention(config):
        return []
    rule = "backend=mini-trainer takes flash attention wherever flash-attn is installed"
    return [fault("model.attn_implementation", "sdpa", rule, "drop it, or pip uninstall flash-attn")]


def _evaluation(config: Mapping[str, Any]) -> list[str]:
    """It refuses held-out rows without a rhythm, after having loaded everything."""
    asked = holds_out(config)
    if asked is None or any(config["recipe"].get(name) for name in _TRIGGERS):
        return []
    return [f"{asked}: backend=mini-trainer evaluates in a rhythm only; add eval_steps=N"]


def _osft(config: Mapping[str, Any], search_path: tuple[str, ...]) -> list[str]:
    """Its script takes 1 for its default, 0.5, and trains one direction for 0; it knows some architectures only."""
    recipe = config["recipe"]
    if not recipe.get("osft"):
        return []
    faults, ratio = [], recipe["osft_unfreeze_rank_ratio"]
    if ratio == 1:
        rule = "backend=mini-trainer would train half of each matrix"
        faults.append(fault("unfreeze_rank_ratio", ratio, rule, "use algorithm=sft, which trains all of it"))
    if ratio == 0:
        rule = "backend=mini-trainer would train one direction of each matrix"
        faults.append(fault("unfreeze_rank_ratio", ratio, rule, "give more than 0"))
    path, known = config["model"]["path"], known_architectures(search_path)
    if recipe["osft_target_patterns"] is None and known and _patterns(path, search_path) is None:
        rule = f"{_architecture(path)} is no architecture that mini-trainer's OSFT knows"
        faults.append(
            fault("model_path", path, rule, f"add target_patterns=[...], or a model of {enumerate_names(known)}")
        )
    return faults


def known_architectures(search_path: tuple[str, ...] = ()) -> dict[str, str]:
    """Part of an architecture's name -> its entry in mini-trainer's table of patterns; {} where it is not installed."""
    return dict(signature.constant("mini_trainer.osft_utils.MODEL_NAME_MAPPINGS", search_path) or {})


def _patterns(model_path: str, search_path: tuple[str, ...]) -> list[str] | None:
    """The names of the matrices to split, None where mini-trainer does not know the architecture.

    mini-trainer itself searches the whole path of the model for the name of an architecture, and finds `opt` in
    /opt/models/qwen: then the MLP's matrices are trained without any bound.
    """
    table = signature.constant("mini_trainer.osft_utils.MODEL_CONFIGS", search_path) or {}
    architecture = _architecture(model_path).lower()
    entry = next((value for part, value in known_architectures(search_path).items() if part in architecture), None)
    return list(table[entry]["patterns"]) if entry in table else None


def _architecture(model_path: str) -> str:
    """The class in a model's config.json; the last part of its id on the hub where it is not here."""
    file = Path(model_path).expanduser() / "config.json"
    if not file.is_file():
        return model_path.rpartition("/")[2]
    config = json.loads(file.read_text())
    return str((config.get("architectures") or [config.get("model_type", "")])[0])
