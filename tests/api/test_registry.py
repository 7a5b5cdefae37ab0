"""The registry, and algorithms and backends made in Python."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore

import training_hub
from training_hub import Algorithm, AlgorithmRegistry, Backend, ConfigError, create_algorithm, train
from training_hub.cli import main
from training_hub.config import choices, groups
from training_hub.config.check import check


class Echo(Backend):
    """Gives back what it is called with."""

    def execute_training(self, algorithm_params: dict[str, Any]) -> Any:
        return {"status": "success", "params": algorithm_params}


class Tuning(Algorithm):
    """An algorithm with parameters of its own."""

    def train(self, **kwargs: Any) -> Any:
        return self.backend.execute_training({**self.kwargs, **kwargs})

    def get_required_params(self) -> dict[str, type]:
        return {"model_path": str, "output_dir": str}

    def get_optional_params(self) -> dict[str, type]:
        return {"batch_size": int, "learning_rate": float}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> type[AlgorithmRegistry]:
    """The registry as it was, afterwards."""
    monkeypatch.setattr(AlgorithmRegistry, "_algorithms", {})
    monkeypatch.setattr(AlgorithmRegistry, "_backends", {})
    monkeypatch.setattr(ConfigStore.instance(), "repo", copy.deepcopy(ConfigStore.instance().repo))
    return AlgorithmRegistry


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "('torch', 'transformers', 'hydra', 'pydantic')"
    code = f"import sys, training_hub; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    for name in training_hub.__all__:
        assert getattr(training_hub, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'stf'"):
        training_hub.stf  # noqa: B018


def test_shipped_algorithms_and_backends_are_the_files_of_conf() -> None:
    names = AlgorithmRegistry.list_algorithms()
    assert names == sorted(file.stem for file in (groups.CONF / "algorithm").glob("*.yaml"))
    for name in names:
        files = {file.stem for file in (groups.CONF / "recipe" / name).glob("*.yaml")}
        assert set(AlgorithmRegistry.list_backends(name)) == files


def test_a_class_knows_the_name_of_its_file() -> None:
    for name in AlgorithmRegistry.list_algorithms():
        assert vars(AlgorithmRegistry.get_algorithm(name))["name"] == name
        for backend in AlgorithmRegistry.list_backends(name):
            assert vars(AlgorithmRegistry.get_backend(name, backend))["name"] == backend


def test_the_first_backend_is_the_one_that_runs_by_default() -> None:
    for name in AlgorithmRegistry.list_algorithms():
        assert AlgorithmRegistry.list_backends(name)[0] == choices.recommended_backend(name)


def test_an_unknown_algorithm_has_no_backends() -> None:
    assert AlgorithmRegistry.list_backends("nix") == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create_algorithm("sfft"), "algorithm=sfft: no such algorithm; did you mean sft?"),
        (lambda: create_algorithm("sft", "nix"), "backend=nix: algorithm=sft does not run on it; choose from "),
        (lambda: AlgorithmRegistry.get_algorithm("xyz"), "algorithm=xyz: no such algorithm; choose from "),
        (lambda: AlgorithmRegistry.get_backend("xyz", "trl"), "algorithm=xyz: no such algorithm"),
        (lambda: AlgorithmRegistry.register_backend("xyz", "b", Echo), "algorithm=xyz: no such algorithm"),
    ],
)
def test_unknown_names_are_value_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_a_backend_of_ones_own_gets_the_parameters_as_they_were_given(registry: type[AlgorithmRegistry]) -> None:
    registry.register_backend("sft", "mine", Echo)
    assert registry.list_backends("sft")[-1] == "mine"
    result = create_algorithm("sft", backend_name="mine", learning_rate=1e-4, num_epochs=1).train(
        model_path="./m", ckpt_output_dir="./out", num_epochs=5, seed=None
    )
    assert result["params"] == {"model_path": "./m", "ckpt_output_dir": "./out", "num_epochs": 5, "learning_rate": 1e-4}


def test_an_algorithm_of_ones_own_trains(registry: type[AlgorithmRegistry]) -> None:
    registry.register_algorithm("tuning", Tuning)
    registry.register_backend("tuning", "echo", Echo)
    assert registry.list_algorithms()[-1] == "tuning"
    assert create_algorithm("tuning").train(model_path="m")["params"] == {"model_path": "m"}


def test_registering_again_replaces(registry: type[AlgorithmRegistry]) -> None:
    registry.register_algorithm("sft", Tuning)
    registry.register_backend("sft", "trl", Echo)
    assert isinstance(create_algorithm("sft"), Tuning)
    assert registry.list_algorithms().count("sft") == 1


@pytest.mark.parametrize(("algorithm", "backend"), [("dpo", "trl"), ("sft", "mini-trainer"), ("osft", "trl")])
def test_a_backend_concerns_its_own_pair_alone(registry: type[AlgorithmRegistry], algorithm: str, backend: str) -> None:
    pairs = [(each, name) for each in registry.list_algorithms() for name in registry.list_backends(each)]
    before = {pair: registry.get_backend(*pair) for pair in pairs}
    registry.register_backend(algorithm, backend, Echo)
    for one, other in pairs:
        expected = Echo if (one, other) == (algorithm, backend) else before[one, other]
        composition = train.composed([f"algorithm={one}", f"backend={other}"])
        assert registry.get_backend(one, other) is composition.classes.backend is expected
        if expected is not Echo:
            assert check(composition, allow_missing=True) == []


@pytest.mark.parametrize("replaced", ["sft", "dpo", "lora_sft"])
def test_an_algorithm_leaves_those_that_are_built_on_it(registry: type[AlgorithmRegistry], replaced: str) -> None:
    others = [name for name in registry.list_algorithms() if name != replaced]
    registry.register_algorithm(replaced, Tuning)
    for name in others:
        composition = train.composed([f"algorithm={name}"])
        assert vars(composition.classes.algorithm)["name"] == name
        assert check(composition, allow_missing=True) == []
    assert train.composed([f"algorithm={replaced}"]).classes.algorithm is Tuning


def test_two_algorithms_have_backends_of_one_name(registry: type[AlgorithmRegistry]) -> None:
    class Other(Echo):
        pass

    registry.register_backend("sft", "mine", Echo)
    registry.register_backend("osft", "mine", Other)

    def classes() -> list[type[Backend]]:
        return [train.composed([f"algorithm={each}", "backend=mine"]).classes.backend for each in ("sft", "osft")]

    assert classes() == [Echo, Other]
    registry.register_backend("osft", "mine", Echo)
    assert classes() == [Echo, Echo]


def test_a_replaced_backend_leaves_the_functions_of_other_algorithms(
    registry: type[AlgorithmRegistry], tmp_path: Path
) -> None:
    registry.register_backend("dpo", "trl", Echo)
    assert training_hub.dpo(model_path="m", data_path="d")["status"] == "success"
    with pytest.raises(ConfigError, match=r"^model_path=\S+nix: no such folder"):
        training_hub.sft(model_path=str(tmp_path / "nix"), data_path="d", ckpt_output_dir=str(tmp_path / "out"))


def test_an_algorithm_without_a_backend_says_how_to_add_one(registry: type[AlgorithmRegistry]) -> None:
    registry.register_algorithm("lonely", Tuning)
    with pytest.raises(ValueError, match="algorithm=lonely: no backend is registered for it"):
        create_algorithm("lonely")


def test_what_python_registers_the_command_line_knows(
    registry: type[AlgorithmRegistry], capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register_algorithm("tuning", Tuning)
    registry.register_backend("tuning", "echo", Echo)
    words = ["algorithm=tuning", "backend=echo", "model_path=m", "output_dir=o", "lr=1e-4"]
    assert main(words) == 0
    assert "{'model_path': 'm', 'output_dir': 'o', 'learning_rate': 0.0001}" in capsys.readouterr().out


def test_the_command_line_checks_the_parameters_of_such_an_algorithm(
    registry: type[AlgorithmRegistry], capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register_algorithm("tuning", Tuning)
    registry.register_backend("tuning", "echo", Echo)
    assert main(["algorithm=tuning", "backend=echo", "model_path=m", "bath_size=3"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "bath_size=3: no such parameter; did you mean batch_size?",
        "output_dir: required parameter is missing; add output_dir=...",
    ]


def test_parameters_are_described_for_generic_code() -> None:
    algorithm = create_algorithm("sft")
    assert algorithm.get_required_params() == {"model_path": str, "data_path": str}
    optional = algorithm.get_optional_params()
    assert (optional["learning_rate"], optional["ckpt_output_dir"], optional["packing"]) == (float, str, bool)
    assert not optional.keys() & algorithm.get_required_params().keys()


def test_a_config_error_is_a_value_error_with_every_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        create_algorithm("sft").train(model_path="./nix", data_path="./nix.jsonl", learning_rate=-1)
    assert [text.split(":")[0] for text in caught.value.faults] == [
        "learning_rate=-1", "model_path=./nix", "data_path=./nix.jsonl",
    ]  # fmt: skip
