"""The chosen algorithm, backend, launcher, adapter and loggers are made from their nodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from training_hub import registered, train
from training_hub.adapters.lora import LoRAAdapter
from training_hub.backends.trl import TRLBackend
from training_hub.config.objects import made
from training_hub.errors import ConfigError
from training_hub.installed import trust

CODE = '''
from training_hub import Algorithm, Backend
from training_hub.backends.trl import TRLBackend

MADE = []


class Remote(Backend):
    """Trains elsewhere."""

    def __init__(self, url: str, tries: int = 3):
        self.url, self.tries = url, tries

    def execute_training(self, algorithm_params):
        return {"url": self.url, "tries": self.tries, **algorithm_params}


class Tuned(TRLBackend):
    """TRL with a setting of its own."""

    def __init__(self, speed: int, **settings):
        if speed > 9:
            raise ValueError("speed goes up to 9")
        super().__init__(**settings)
        MADE.append((speed, self.settings["packing"]))


class Own(Algorithm):
    """Trains in its own way."""

    def __init__(self, backend, factor=1.0, **kwargs):
        super().__init__(backend, **kwargs)
        self.factor = factor

    def train(self, **kwargs):
        return self.backend.execute_training({"factor": self.factor, **kwargs})

    def get_required_params(self):
        return {"model_path": str}

    def get_optional_params(self):
        return {}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Options of a package of one's own, which is trusted."""
    (tmp_path / "my_choices.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(trust, "_allowed_packages", {"my_choices"})
    options = {
        "backend/remote": "_target_: my_choices.Remote\nurl: http://here",
        "backend/tuned": "defaults: [trl, _self_]\n_target_: my_choices.Tuned\nspeed: 3",
        "algorithm/own": "# @package _global_\nalgorithm:\n  _target_: my_choices.Own\n  factor: 2.5",
        "recipe/sft/remote": "{}",
        "recipe/own/remote": "{}",
        "recipe/sft/tuned": "defaults: [/recipe/sft/trl@_here_]",
    }
    for name, text in options.items():
        file = tmp_path / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_choices", None)


def composed(*texts: str) -> Any:
    return train.composed(texts, ["conf"])


def plan(tiny: Path, *texts: str) -> Any:
    return train.plan(composed(f"model_path={tiny}", "data_path=rows.jsonl", *texts))


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(ConfigError) as error:
        call(*args)
    return str(error.value)


def test_the_settings_of_a_backend_reach_its_constructor(folder: Path) -> None:
    found = registered.run(composed("backend=remote", "backend.url=http://there", "model_path=m", "data_path=d"))
    assert found == {"url": "http://there", "tries": 3, "model_path": "m", "data_path": "d"}


def test_a_class_that_is_typed_is_made_with_what_it_takes(folder: Path) -> None:
    typed = ["backend._target_=my_choices.Remote", "+backend.url=http://there", "model_path=m", "data_path=d"]
    assert registered.run(composed(*typed))["url"] == "http://there"


def test_the_settings_of_an_algorithm_reach_its_constructor(folder: Path) -> None:
    found = registered.run(composed("algorithm=own", "backend=remote", "model_path=m"))
    assert found == {"factor": 2.5, "url": "http://here", "tries": 3, "model_path": "m"}


def test_a_setting_that_the_constructor_does_not_take_is_refused(folder: Path) -> None:
    text = refusal(registered.run, composed("backend=remote", "backend.colour=red", "model_path=m"))
    assert text.startswith("backend._target_=my_choices.Remote: cannot be made: ")
    assert "unexpected keyword argument 'colour'" in text


def test_a_backend_of_a_recipe_has_the_settings_of_its_constructor_too(folder: Path, tiny: Path) -> None:
    planned = plan(tiny, "backend=tuned", "backend.speed=7", "packing=false")
    assert planned.config["backend"]["speed"] == 7
    assert sys.modules["my_choices"].MADE == [(7, False)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("backend.speed=fast", "backend.speed=fast: must be a whole number"),
        ("backend.sped=3", "backend.sped=3: no such parameter; did you mean backend.speed?"),
        ("~backend.speed", "~backend.speed: a parameter cannot be deleted; set it to null or to its default"),
        (
            "backend.speed=10",
            "backend._target_=my_choices.Tuned: cannot be made: speed goes up to 9; correct the settings of backend",
        ),
    ],
)
def test_a_faulty_setting_of_a_constructor_is_one_line(folder: Path, tiny: Path, typed: str, expected: str) -> None:
    assert refusal(plan, tiny, "backend=tuned", typed) == expected


def test_the_other_faults_are_told_beside_a_faulty_setting(folder: Path, tiny: Path) -> None:
    text = refusal(plan, tiny, "backend=tuned", "backend.speed=fast", "lr=0")
    assert text.splitlines() == ["lr=0: must be greater than 0", "backend.speed=fast: must be a whole number"]


def test_a_class_that_nobody_trusts_is_not_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_allowed_packages", set())
    text = refusal(lambda: composed("backend=remote").classes.backend)
    assert "code of my_choices is not run from a config" in text
    assert "my_choices" not in sys.modules


def test_nothing_is_called_that_the_inside_of_a_node_names() -> None:
    inner = {"_target_": "os.mkdir", "path": "made"}
    found = made(LoRAAdapter, {"_target_": "x", "peft": inner, "args": [inner]}, "adapter")
    assert found.settings == {"peft": inner, "args": [inner]}
    assert not Path("made").exists()


def test_the_python_interface_needs_no_node() -> None:
    assert TRLBackend().settings == {}
