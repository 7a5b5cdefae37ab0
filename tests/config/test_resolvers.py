"""The arithmetic of recipes: what divides, what does not, and what is said then."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from training_hub.config import resolvers
from training_hub.errors import ConfigError
from training_hub.machine import hardware


def resolved(text: str) -> object:
    """The value of an interpolation in a config."""
    resolvers.register()
    return OmegaConf.create({"value": text}).value


def test_the_first_set_value_is_taken_even_if_it_is_zero_or_false() -> None:
    assert resolvers.first_set(None, 0, 5) == 0
    assert resolvers.first_set(False, True) is False
    assert resolvers.first_set(None, None) is None
    assert resolved("${first_set:null,-1}") == -1


def test_a_condition_chooses() -> None:
    assert resolved("${choose:true,a,b}") == "a"
    assert resolved("${choose:false,a,[b,c]}") == ["b", "c"]


def test_a_refusal_stands_at_the_end_of_the_sentence_that_hydra_makes_of_it() -> None:
    with pytest.raises(
        InterpolationResolutionError, match=r"ConfigError raised while.*: save_steps=8: checkpoint_at_epoch"
    ):
        resolved("${save_strategy:8,true}")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_one_process() -> None:
    assert resolvers.processes("auto") == 1


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_one_process_per_gpu_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        resolvers.processes("gpu")
    assert str(error.value) == "nproc_per_node=gpu: no CUDA GPU here; give a number, or auto"


@pytest.mark.gpu
@pytest.mark.parametrize("word", ["auto", "gpu"])
def test_with_gpus_there_is_one_process_for_each(word: str) -> None:
    assert resolvers.processes(word) == len(hardware.gpus()) > 0


def test_a_number_of_processes_is_taken_at_its_word() -> None:
    assert resolvers.processes(3) == 3


def test_processes_are_counted_over_all_machines() -> None:
    assert resolved("${world_size:2,8}") == 16


def test_evaluation_goes_by_steps_only_where_steps_are_given() -> None:
    assert [resolvers.eval_strategy(steps) for steps in (None, 10)] == ["no", "steps"]


@pytest.mark.parametrize(
    ("steps", "each_epoch", "strategy"), [(None, False, "no"), (None, True, "epoch"), (5, False, "steps")]
)
def test_saving_follows_the_one_rhythm_that_is_asked_for(steps: int | None, each_epoch: bool, strategy: str) -> None:
    assert resolvers.save_strategy(steps, each_epoch) == strategy


def test_two_rhythms_of_saving_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        resolvers.save_strategy(5, True)
    assert str(error.value) == "save_steps=5: checkpoint_at_epoch=true is set as well; keep one of the two"


def test_registering_twice_changes_nothing() -> None:
    resolvers.register()
    resolvers.register()
    assert OmegaConf.has_resolver("save_strategy")
