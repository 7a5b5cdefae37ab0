"""Libraries whose own training script does the work: the project prepares the rows, starts it and follows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from training_hub.backends.base import RecipeBackend
from training_hub.errors import enumerate_names, fault, suggestion
from training_hub.installed.interpreter import missing_requirements
from training_hub.interfaces.adapter import Adapter
from training_hub.model_files import ITEM_SIZES, MemoryFloor, Size
from training_hub.run import RunDir


class ScriptBackend(RecipeBackend):
    """A library that is run as `python -m MODULE --option=value ...` under torchrun; MODULE is the recipe's target.

    module: of the script; "": the recipe's word is enough. broken: options that its script takes and does not do right
    by, each with what is wrong and the way out.
    """

    broken: ClassVar[Mapping[str, str]] = {}
    module: ClassVar[str] = ""

    def script(self, config: Mapping[str, Any], run_dir: str) -> list[str]:
        """The library's script with its complete list of options, from `-m` on."""
        recipe = dict(config["recipe"])
        module = str(recipe.pop("_target_"))
        options = recipe | self.paths(config, RunDir(run_dir))
        return ["-m", module, *(text for name, value in options.items() for text in self.option(name, value))]

    def paths(self, config: Mapping[str, Any], run: RunDir) -> dict[str, Any]:
        """The options that say where the script reads and writes."""
        return {"data_path": str(run.prepared / "train.jsonl"), "output_dir": str(run.library)}

    def option(self, name: str, value: Any) -> list[str]:
        """One option as it is typed; nothing for null, which leaves the script's own default."""
        if value is None or value is False:
            return []
        if value is True:
            return [f"--{name}"]
        return [f"--{name}={json.dumps(value) if isinstance(value, dict) else value}"]

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """What the library cannot do, and what it is known to do wrongly."""
        recipe = config["recipe"]
        if self.module and recipe["_target_"] != self.module:  # it would be executed, whatever it is
            return [fault("recipe._target_", recipe["_target_"], f"no script of {self.name}", "drop it")]
        faults = [f"recipe.{name}={recipe[name]}: {text}" for name, text in self.broken.items() if name in recipe]
        return [*faults, *self._scheduler(config), *self._attention(config), *self._model(config)]

    def refused_callback(self, target: str) -> str | None:
        """They may look on: the script is another process, which nothing stops at a given step."""
        if target == "training_hub.callbacks.EarlyStopping":
            return f"backend={self.name} runs its library's own script, whose course no callback can change"
        return None

    def shards(self, config: Mapping[str, Any]) -> int:
        """Among how many processes weights, gradients and moments are shared out."""
        return int(config["launcher"]["world_size"])

    def memory_proxy(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """Layers in bfloat16, each computed again for its gradients, one after the other; whole logits."""
        recipe, node = config["recipe"], config["launcher"]
        tokens = recipe.get("max_tokens_per_gpu") or recipe.get("max_batch_len")
        step = {"packing": True, "max_tokens_per_gpu": tokens, "effective_batch_size": self.rows_of_step(config)}
        proxy = {
            "processes": node["world_size"], "sharded": self.shards(config), "bits": 0,
            "autocast": False, "chunked": False,
            "item_size": ITEM_SIZES.get(str(recipe.get("train_dtype", "float32")), 4),
            "trained_ratio": recipe["osft_unfreeze_rank_ratio"] if recipe.get("osft") else None,
        }  # fmt: skip
        on_trl = {"_target_": "trl.SFTConfig", "gradient_checkpointing": True, "seed": recipe.get("seed", 0)}
        return {
            **config,
            "model": {**config["model"], "dtype": "bfloat16"},
            "recipe": {**on_trl, "optim": "adamw_torch"},
            "backend": {**config["backend"], **step, "trainer": "training_hub.trainers.sft.SFT"},
            "adapter": {},
            "memory_proxy": proxy,
        }

    def rows_of_step(self, config: Mapping[str, Any]) -> int:
        """Rows of a step, over all processes."""
        recipe = config["recipe"]
        return int(recipe.get("batch_size") or recipe["effective_batch_size"])

    def memory_floor(self, config: Mapping[str, Any], adapter: Adapter, size: Size) -> MemoryFloor:
        """A share of all weights with gradients and moments; where only parts of them are trained, of the weights."""
        parameters = size.parameters // self.shards(config)
        item_size = ITEM_SIZES.get(str(config["recipe"].get("train_dtype", "float32")), 4)
        if config["recipe"].get("osft"):
            return MemoryFloor(parameters * item_size)
        return MemoryFloor.of_all(parameters, item_size, "adamw_torch")

    def schedulers(self, config: Mapping[str, Any]) -> list[str] | None:
        """The learning-rate schedulers of the installed library, None where its source is not found."""
        return None

    def _scheduler(self, config: Mapping[str, Any]) -> list[str]:
        name, known = str(config["recipe"]["lr_scheduler"]), self.schedulers(config)
        if known is None or name in known:
            return []
        way = suggestion(name, known) or f"choose from {enumerate_names(known)}"
        return [fault("lr_scheduler", name, f"backend={self.name} has no such scheduler", way)]

    def _attention(self, config: Mapping[str, Any]) -> list[str]:
        wanted = config["model"]["attn_implementation"]
        key, usable = "model.attn_implementation", ("auto", "flash_attention_2", "sdpa")
        if wanted not in usable:
            way = f"choose from {enumerate_names(usable)}"
            return [fault(key, wanted, f"backend={self.name} has no such choice", way)]
        if wanted == "flash_attention_2" and not has_flash_attention(config):
            return [fault(key, wanted, "flash-attn is not installed", f"pip install flash-attn, or {key}=auto")]
        return []

    def _model(self, config: Mapping[str, Any]) -> list[str]:
        revision = config["model"]["revision"]
        way = "download that revision and give its folder as model_path"
        return (
            [fault("model.revision", revision, f"backend={self.name} loads the main one only", way)] if revision else []
        )


def has_flash_attention(config: Mapping[str, Any]) -> bool:
    """Whether flash-attn is installed where the worker runs."""
    return not missing_requirements(["flash-attn"], config["backend"]["python"])


def holds_out(config: Mapping[str, Any]) -> str | None:
    """The parameter that asks for held-out rows, as it was set: `eval_fraction=0.1`; None where none does."""
    if config["data"]["eval_path"]:
        return f"eval_data_path={config['data']['eval_path']}"
    return f"eval_fraction={config['data']['eval_fraction']}" if config["data"]["eval_fraction"] else None
