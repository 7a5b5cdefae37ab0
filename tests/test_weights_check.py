"""The weights of a run that nobody attends are checked before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from training_hub import weights_check
from training_hub.errors import ConfigError, RunFailed
from training_hub.trainers.base import LANGUAGE_MODEL


def node(path: Path | str) -> dict[str, Any]:
    return {"path": str(path), "revision": None, "trust_remote_code": False}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is asked; a model called `bad` does not fit, `odd` cannot be looked at."""
    found: list[Any] = []

    def answer(_module: str, request: dict[str, Any], _python: str | None) -> None:
        found.append(request["model"]["path"])
        if request["model"]["path"] == "bad":
            raise ConfigError("model_path=bad: does not fit")
        if request["model"]["path"] == "odd":
            raise RunFailed("failed\nImportError: no x")

    monkeypatch.setattr(weights_check, "answer", answer)
    monkeypatch.setattr(weights_check, "_checked", [])
    return found


def test_each_model_is_looked_at_once(asked: list[Any]) -> None:
    weights_check.must_fit(
        [(node("a"), None, LANGUAGE_MODEL), (node("a"), None, LANGUAGE_MODEL), (node("b"), None, LANGUAGE_MODEL)]
    )
    weights_check.must_fit([(node("b"), None, LANGUAGE_MODEL)])
    assert asked == ["a", "b"]


def test_a_fault_is_told_once_and_found_again(asked: list[Any]) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError) as refused:
            weights_check.must_fit(
                [
                    (node("a"), None, LANGUAGE_MODEL),
                    (node("bad"), None, LANGUAGE_MODEL),
                    (node("bad"), "python", LANGUAGE_MODEL),
                ]
            )
        assert refused.value.faults == ("model_path=bad: does not fit",)
    assert asked.count("a") == 1


def test_what_keeps_it_from_looking_is_a_warning(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    weights_check.must_fit([(node("odd"), None, LANGUAGE_MODEL)])
    assert (
        capsys.readouterr().out
        == "warning: the weights were not checked here; the job checks them: ImportError: no x\n"
    )


@pytest.mark.needs("torch", "transformers")
def test_a_process_compares_the_files_with_the_architecture(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    monkeypatch.setenv("HF_HOME", str(tmp_path))
    folder = shutil.copytree(tiny, tmp_path / "more")
    tensors = load_file(tiny / "model.safetensors")
    tensors["extra"] = tensors["model.norm.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError) as refused:
        weights_check.must_fit(
            [
                (node(tiny), None, LANGUAGE_MODEL),
                (node("no-such/model-anywhere"), None, LANGUAGE_MODEL),
                (node(folder), None, LANGUAGE_MODEL),
            ]
        )
    [fault] = refused.value.faults
    assert "1 unexpected (extra)" in fault
