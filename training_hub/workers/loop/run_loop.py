"""The run loop, the same for every trainer: load, train, evaluate, save."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, set_seed
from transformers.utils import logging

from training_hub.callbacks import TrainingHubCallback
from training_hub.checkpoints import Checkpoint
from training_hub.data.prepare import Prepared, prepare
from training_hub.errors import ConfigError, HubError, fault
from training_hub.run import RunDir
from training_hub.trainers.base import LANGUAGE_MODEL, ModelKind, Trainer
from training_hub.workers import callbacks, going_on, models, resolve, rise
from training_hub.workers.adapters import methods
from training_hub.workers.loop import answers, checkpointing, outcome
from training_hub.workers.loop.hooks import Hooks
from training_hub.workers.loop.stop import StopOnSignal
from training_hub.workers.loop.trainer import RunTrainer
from training_hub.workers.tokenizer import first_line
from training_hub.workers.tokenizer import load as load_tokenizer


class Loaded(NamedTuple):
    """What a trainer is made of.

    args: an instance of the recipe's class. model: as it is trained, plain: without the adapter around it. resolved:
    what was decided on this machine.
    """

    args: Any
    tokenizer: PreTrainedTokenizerBase
    data: Prepared
    model: Any
    plain: PreTrainedModel
    resolved: dict[str, Any]


Get = Callable[[dict[str, Any], dict[str, Any], Prepared], tuple[Any, PreTrainedModel]]


def train(run: RunDir, config: dict[str, Any], declared: type[Trainer], get: Get | None = None) -> dict[str, Any]:
    """Train and save; see training_hub.workers.trl.train.

    declared: the trainer, whose module makes it. get: loads the model and puts the adapter into it, by default as
    transformers and PEFT do.
    """
    build = importlib.import_module(declared.module).build
    with StopOnSignal(run) as stop:
        called = callbacks.make(config, TrainerCallback)
        loaded = load(run, config, declared, get or partial(model_and_adapter, kind=declared.model))
        with refused_by(declared):
            trainer: RunTrainer = build(run, config, loaded)
            trainer.kind = declared.model
        hooks = _call(trainer, called)
        _begin(run, config, loaded, trainer, stop)
        checkpoint = checkpointing.find(run)
        if checkpoint is None:
            answers.write(run, trainer, config["backend"], "before")
            trainer.train()
        else:
            _go_on(config, trainer, checkpoint, hooks)
        if stop.stopped:
            found = outcome.interrupted(run, trainer)
        else:
            warnings = trainer.verify() or rise.of_run(trainer.progress.final)
            outcome.evaluate_at_end(trainer)
            answers.write(run, trainer, config["backend"], "after")
            found = outcome.completed(run, trainer, config) | {"stopped": hooks.stopped}
            found["warnings"] = warnings
        trainer.accelerator.end_training()
        return found


def load(run: RunDir, config: dict[str, Any], declared: type[Trainer], get: Get) -> Loaded:
    """Settle, prepare the rows, load the model and put the adapter into it."""
    logging.disable_progress_bar()
    resolved = resolve.resolve(config["recipe"]) | {"threads": resolve.share_cores()}
    with refused_by(declared):
        args = make_arguments(run, config["recipe"], resolved, declared)
    tokenizer = load_tokenizer(config["model"], config["data"]["chat_template"])
    answers.check(config["backend"]["sample_prompts"], tokenizer)
    with args.main_process_first(desc="preparing the rows"):
        data = prepare(tokenizer, config["data"])
    args.eval_on_start = data.eval is not None and config["backend"]["eval_at_start"]
    model, plain = get(config, resolved, data)
    return Loaded(args, tokenizer, data, model, plain, resolved)


def model_and_adapter(
    config: dict[str, Any],
    resolved: dict[str, Any],
    _data: Prepared,
    load_model: Callable[..., PreTrainedModel] | None = None,
    kind: ModelKind = LANGUAGE_MODEL,
) -> tuple[Any, PreTrainedModel]:
    """The model as it is trained, and the same without the adapter around it."""
    if kind.new:
        set_seed(config["recipe"]["seed"])
    method = methods.chosen(config)
    changes = method.how_to_load(config, resolved) if method else {}
    plain = (load_model or models.load_model)(config["model"], resolved["use_cpu"], kind, **changes)
    return (method.add(plain, config, kind).eval() if method else plain), plain


@contextmanager
def refused_by(declared: type[Trainer]) -> Iterator[None]:
    """ConfigError for what transformers and TRL refuse of a recipe only here."""
    try:
        yield
    except HubError:
        raise
    except (ValueError, TypeError, LookupError, ImportError, AttributeError, NotImplementedError) as error:
        raise ConfigError(fault("recipe", declared.recipe, _first(error))) from error


def _first(error: Exception) -> str:
    """What a library says first, without what would end the line's rule."""
    return f"refused, {type(error).__name__}: {first_line(error)}"


def make_arguments(run: RunDir, recipe: dict[str, Any], resolved: dict[str, Any], declared: type[Trainer]) -> Any:
    """An instance of the recipe's class."""
    module, _, name = declared.recipe.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    return on_one_gpu(kind(**arguments(run, recipe, resolved, kind, declared.reserved)))


def on_one_gpu(args: Any) -> Any:
    """A process uses one GPU; by default a single one would take all that are visible, by DataParallel."""
    args._n_gpu = min(args.n_gpu, 1)
    return args


def arguments(
    run: RunDir, recipe: dict[str, Any], resolved: dict[str, Any], kind: type[Any], reserved: Mapping[str, str]
) -> dict[str, Any]:
    """The recipe as arguments of its class, with those that the loop sets itself."""
    given = {name: value for name, value in recipe.items() if name != "_target_" and name not in reserved}
    given |= {name: resolved[name] for name in ("use_cpu", "bf16")}
    if "activation_checkpointing" in kind.__dataclass_fields__:  # its newer name; the old one warns
        given.setdefault("activation_checkpointing", given.pop("gradient_checkpointing", False))
    ours: dict[str, Any] = {
        "output_dir": str(run.checkpoints),
        "max_length": None,
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "report_to": [],
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": False,
    }
    return given | {name: value for name, value in ours.items() if name in kind.__dataclass_fields__}


def shape(config: dict[str, Any], loaded: Loaded) -> dict[str, int]:
    """The size of a step and of its parts."""
    backend = config["backend"]
    max_tokens = resolve.max_tokens(backend["max_tokens_per_gpu"], bool(loaded.args.use_cpu))
    return {"batch_size": backend["effective_batch_size"], "max_tokens": max_tokens}


def _call(trainer: RunTrainer, called: dict[str, Any]) -> Hooks:
    """Have the run's callbacks called; those of transformers' own kind by the trainer itself, on every rank."""
    hooks = Hooks(trainer, {name: each for name, each in called.items() if isinstance(each, TrainingHubCallback)})
    for each in (hooks, *(each for each in called.values() if isinstance(each, TrainerCallback))):
        trainer.add_callback(each)
    trainer.state_of_callbacks = hooks.state
    return hooks


def _begin(run: RunDir, config: dict[str, Any], loaded: Loaded, trainer: RunTrainer, stop: StopOnSignal) -> None:
    """Connect the trainer with the run, and tell the manifest."""
    method = methods.chosen(config)
    for callback in (stop, *(method.callbacks() if method else ())):
        trainer.add_callback(callback)
    if method:
        trainer.complete_gradients = partial(method.complete_gradients, loaded.model)
    stop.accelerator, stop.progress = trainer.accelerator, trainer.progress
    loaded.resolved["attention"] = loaded.plain.config._attn_implementation
    trainer.facts = going_on.facts(run, config, loaded.data.report)
    outcome.describe(run, trainer, loaded.resolved, loaded.data.report)


def _go_on(config: dict[str, Any], trainer: RunTrainer, checkpoint: Checkpoint, hooks: Hooks) -> None:
    """Train from a checkpoint on. ConfigError where it does not fit."""
    going_on.check(checkpoint, trainer.facts, config["data"]["path"], trainer.total_steps())
    state = going_on.counted(checkpoint)
    trainer.args.eval_on_start = state["eval_due"] and trainer.evaluates
    trainer.progress.restore(state)
    hooks.restore(state.get("callbacks") or {})
    trainer.train(resume_from_checkpoint=str(checkpoint.path))
