"""Goes through two steps of the worker's own training on tensors that have shapes and no numbers."""

from __future__ import annotations

import importlib
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, TrainerCallback
from transformers.utils import logging

from training_hub.data.prepare import Prepared
from training_hub.run import RunDir
from training_hub.workers import models, resolve, weights
from training_hub.workers.adapters import methods
from training_hub.workers.estimate import rows, standins
from training_hub.workers.estimate.tracker import KINDS, Tracker
from training_hub.workers.loop import run_loop
from training_hub.workers.tokenizer import load as load_tokenizer
from training_hub.workers.tokenizer import where
from training_hub.workers.trl import trainer_of

# In the second step the optimizer has its state.
_RECIPE = {"max_steps": 2, "report_to": [], "eval_strategy": "no", "save_strategy": "no", "use_cpu": True}


class Traced(NamedTuple):
    """parts: bytes of each kind at the moment when they were most together. tokens: of the heavier micro-batch."""

    parts: dict[str, int]
    model: Any
    tokens: int


def trace(config: dict[str, Any], proxy: dict[str, Any]) -> Traced:
    """Two steps of a run on TRL. proxy: see `RecipeBackend.memory_proxy`."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    resolved = {"use_cpu": True, "bf16": proxy["autocast"]} if proxy["gpu"] else resolve.resolve(config["recipe"])
    max_tokens = resolve.max_tokens(config["backend"]["max_tokens_per_gpu"], not proxy["gpu"])
    if Path(config["model"]["path"]).expanduser().is_dir():
        weights.check_files(config["model"], values=False, kind=trainer_of(config).model)
    known = AutoConfig.from_pretrained(config["model"]["path"], **where(config["model"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen, tokens = rows.heaviest(config, proxy["processes"], max_tokens, folder)
        sides = chosen.tokens
        tracker = Tracker(known.get_text_config().vocab_size, float(sides.trained.sum() / sides.lengths.sum()))
        shape = {"effective_batch_size": len(chosen), "max_tokens_per_gpu": max_tokens}
        whole = config | {"backend": config["backend"] | shape}
        module: Any = importlib.import_module(trainer_of(config).module)
        with standins.put_in(proxy["gpu"], proxy["chunked"], module.without_numbers()):
            model = _trained(whole, resolved, Prepared(chosen, None, {}), RunDir(folder / "run"), tracker)
    return Traced({kind: tracker.peak[kind] for kind in KINDS}, model, tokens)


def _trained(config: dict[str, Any], resolved: dict[str, Any], data: Prepared, run: RunDir, tracker: Tracker) -> Any:
    """The model after two steps."""
    declared = trainer_of(config)
    module: Any = importlib.import_module(declared.module)
    run.path.mkdir()
    run.create({}, [], {})
    recipe = config["recipe"] | _RECIPE
    args = run_loop.make_arguments(run, recipe, resolved, declared)
    tokenizer = load_tokenizer(config["model"], config["data"]["chat_template"])
    with FakeTensorMode(allow_non_fake_inputs=True), tracker:
        model, plain = run_loop.model_and_adapter(config, resolved, data, models.sketch, declared.model)
        trainer = module.build(run, config, run_loop.Loaded(args, tokenizer, data, model, plain, resolved))
        if method := methods.chosen(config):
            trainer.complete_gradients = partial(method.complete_gradients, model)
            for each in method.callbacks():
                trainer.add_callback(each)
        trainer.add_callback(_Knows(tracker))
        trainer.train()
    return model


class _Knows(TrainerCallback):
    """Tells the tracker what belongs to the model and what to the optimizer."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_train_begin(self, *_: Any, model: Any = None, **__: Any) -> None:
        """Called when the model is where it stays."""
        self.tracker.know_model(model)

    def on_optimizer_step(self, *_: Any, optimizer: Any = None, **__: Any) -> None:
        """Called after each step, when the state is there."""
        states = (value for state in optimizer.state.values() for value in state.values())
        self.tracker.know((each for each in states if hasattr(each, "untyped_storage")), "optimizer")
