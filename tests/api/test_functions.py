"""`sft()` and its like: signatures, wrong calls."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest

import training_hub
from training_hub import ConfigError, sft
from training_hub.algorithms.sft import SFTParams


def test_the_signature_has_every_parameter_under_its_python_name() -> None:
    names = list(inspect.signature(sft).parameters)
    assert names[:3] == ["model_path", "data_path", "ckpt_output_dir"]
    own = set(SFTParams.model_fields) - {"lr", "output_dir"} | {"learning_rate", "ckpt_output_dir"}
    assert set(names) == own | {"backend", "kwargs"}


def test_types_are_shown_plainly() -> None:
    parameters = inspect.signature(sft).parameters
    assert parameters["max_steps"].annotation == (int | None)
    assert parameters["model_path"].annotation is str


def test_the_documentation_names_every_parameter() -> None:
    assert sft.__doc__ is not None
    assert all(name in sft.__doc__ for name in inspect.signature(sft).parameters if name not in ("backend", "kwargs"))


def test_missing_parameters_are_all_named() -> None:
    with pytest.raises(ConfigError, match="model_path, data_path: required parameters are missing"):
        sft()


def test_a_misspelled_parameter_is_refused_with_the_right_name() -> None:
    with pytest.raises(ConfigError, match="lerning_rate=1e-05: no such parameter; did you mean learning_rate"):
        sft("m", "d", lerning_rate=1e-5)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match="backend=nix: algorithm=sft does not run on it"):
        sft("m", "d", backend="nix")


def test_a_value_that_no_config_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed=object: object cannot be written to a config"):
        sft("m", "d", seed=object())


def test_another_algorithm_than_the_functions_own_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"algorithm=osft: this trains with algorithm=sft; drop it"):
        sft("m", "d", algorithm="osft")


def test_calls_in_several_threads_do_not_disturb_each_other() -> None:
    def message(number: int) -> str:
        with pytest.raises(ConfigError) as error:
            sft("m", "d", lr=-number)
        return str(error.value)

    with ThreadPoolExecutor(4) as threads:
        messages = list(threads.map(message, range(1, 9)))
    assert [text.splitlines()[0] for text in messages] == [f"lr=-{n}: must be greater than 0" for n in range(1, 9)]


def test_both_names_of_a_parameter_with_different_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="the same parameter is given as"):
        sft("m", "d", lr=1e-5, learning_rate=2e-5)


ORIGINAL = """
AlgorithmRegistry lora_grpo grpo gepa embedding_sft LoRAGRPOAlgorithm GEPAAlgorithm EmbeddingSFTAlgorithm
UnslothLoRABackend ARTLoRAGRPOBackend VeRLLoRAGRPOBackend GEPABackend MLflowGEPABackend SentenceTransformersBackend
tool_call_reward binary_reward welcome BasicEstimator OSFTEstimator OSFTEstimatorExperimental LoRAEstimator
QLoRAEstimator merge_default_callbacks JITCheckpointCallback RemoteCheckpointSyncCallback ITSRollout time_estimate
time_estimate_from_file TimingEstimatorExperimental PEFTExtender LoRAPEFTExtender get_torchrun_params visualization
profiling hub_core utils checkpoint_manager
"""


@pytest.mark.parametrize("name", [name for name in ORIGINAL.split() if name not in training_hub.__all__])
def test_a_name_that_only_the_original_has_says_what_to_use(name: str) -> None:
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'; \\w+"):
        getattr(training_hub, name)


def test_a_name_that_nobody_has_says_only_that() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'sftt'$"):
        _ = training_hub.sftt  # type: ignore[attr-defined]
    assert not hasattr(training_hub, "grpo")
