"""What a trainer is before anything heavy is imported: see `Trainer`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from training_hub.trainers.reserved import DERIVED


class ModelKind(NamedTuple):
    """How transformers makes the model that is trained.

    auto: the name of its class there. task: PEFT's name for the same. arguments: of `from_pretrained`. new: patterns of
    weights that begin at random where the files lack them, such as a reward head. unused: patterns of weights that the
    files may hold beside, such as a language model's head.
    """

    auto: str = "AutoModelForCausalLM"
    task: str = "CAUSAL_LM"
    arguments: Mapping[str, Any] = {}
    new: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def generates(self) -> bool:
        """Whether it can answer a prompt."""
        return self.auto == "AutoModelForCausalLM"


LANGUAGE_MODEL = ModelKind()


class Trainer:
    """Declares a trainer. `backend.trainer` names a subclass; nothing makes an instance of it.

    recipe: the class that the recipe names, and whose instance the worker makes from it. module: the module that
    trains, with a function `build(run, config, loaded)` that returns a `training_hub.workers.loop.trainer.RunTrainer`.
    reserved: arguments of the recipe's class that the worker sets itself, each with the parameter to use instead, "" if
    there is none. derived: arguments that the recipe computes, with the parameters that their values come from. rows:
    what it trains on, the kind of a data format: "labelled", "pairs" or "prompts". model: what kind of model it trains.
    unknown_memory: why `estimate` cannot tell its memory; "" if a step of `module` can run on shapes alone.
    """

    recipe: ClassVar[str]
    module: ClassVar[str]
    reserved: ClassVar[Mapping[str, str]]
    derived: ClassVar[Mapping[str, str]] = DERIVED
    rows: ClassVar[str]
    model: ClassVar[ModelKind] = LANGUAGE_MODEL
    unknown_memory: ClassVar[str] = "the memory of this trainer is not known before a run"

    @classmethod
    def check(cls, config: Mapping[str, Any]) -> Iterator[str]:
        """What it cannot do with a resolved config, one fault each; called by the client."""
        yield from ()
