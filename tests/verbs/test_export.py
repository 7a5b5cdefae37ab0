"""What `export` and `interpolate` refuse before anything heavy is imported."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from training_hub.cli import main
from training_hub.run import RunDir

ADAPTER = {"peft_type": "LORA", "base_model_name_or_path": "model"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a model, an adapter of it, a run that has saved both, and one that has saved nothing."""
    monkeypatch.chdir(tmp_path)
    for place in ("model", "run/checkpoints/checkpoint-2", "run/checkpoints/final"):
        write(f"{place}/config.json", "{}")
        write(f"{place}/model.safetensors", "\2" + "\0" * 7 + "{}")
    for place in ("adapter", "run/checkpoints/checkpoint-4"):
        write(f"{place}/adapter_config.json", json.dumps(ADAPTER))
        write(f"{place}/adapter_model.safetensors", "")
    for place in ("run", "bare"):
        write(f"{place}/manifest.json", '{"status": "completed"}')
        write(f"{place}/overrides.yaml", "[]")
        config = "model_path: model\nbackend: {python: null}\n"
        write(f"{place}/config.yaml", config)
        RunDir(place).seal({"config.yaml": config, "overrides.yaml": "[]", "folder": "None"})  # as the front does
    return tmp_path


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


# What is typed, and every line of the answer.
CASES: dict[str, tuple[str, list[str]]] = {
    "nothing": (
        "export",
        [
            "export: needs the folder of a run or of a checkpoint; write export RUN_OR_CHECKPOINT output_dir=...",
            "output_dir: required setting is missing; add output_dir=...",
        ],
    ),
    "no place": ("export model", ["output_dir: required setting is missing; add output_dir=..."]),
    "one word too many": ("export model adapter output_dir=out", ["adapter: not a setting; write NAME=VALUE"]),
    "an unknown setting": (
        "export model output_dir=out dtpye=float16", ["dtpye=float16: no such setting; did you mean dtype?"],
    ),
    "a parameter of training": (
        "export model output_dir=out lr=1",
        [
            "lr=1: no such setting; choose from output_dir, dtype, overwrite, trust_remote_code, trust, model_path",
        ],
    ),
    "an unknown dtype": (
        "export model output_dir=out dtype=int8",
        ["dtype=int8: must be 'auto', 'float32', 'bfloat16' or 'float16'"],
    ),
    "no such folder": (
        "export nix output_dir=out", ["nix: no such folder; give a run, or a checkpoint in Hugging Face format"],
    ),
    "a folder of something else": (
        "export run/checkpoints output_dir=out",
        ["run/checkpoints: neither a run nor a checkpoint; it has no config.json and no adapter_config.json"],
    ),
    "a run without a checkpoint": (
        "export bare output_dir=out", ["bare: the run has saved no checkpoint; give another"],
    ),
    "a place with a model in it": (
        "export run output_dir=model", ["output_dir=model: holds a model; choose another, or add overwrite=true"],
    ),
    "a place with something else in it": (
        "export run output_dir=bare overwrite=true",
        ["output_dir=bare: holds files, and no model; choose another, new or empty"],
    ),
    "the place that it comes from": (
        "export run output_dir=run/checkpoints/final overwrite=true",
        ["output_dir=run/checkpoints/final: what is exported lies there; choose another"],
    ),
    "a place around it": (
        "export run output_dir=run overwrite=true", ["output_dir=run: what is exported lies there; choose another"],
    ),
    "the base model as place": (
        "export adapter output_dir=model overwrite=true",
        ["output_dir=model: what is exported lies there; choose another"],
    ),
    "a place below a file": (
        "export model output_dir=model/config.json/x",
        ["output_dir=model/config.json/x: {folder}/model/config.json is a file; choose another"],
    ),
    "a base for a whole model": (
        "export model output_dir=out model_path=model", ["model_path=model: the checkpoint is a whole model; drop it"],
    ),
    "a base that is not there": (
        "export adapter output_dir=out model_path=./nix",
        ["model_path=./nix: no such folder, and not an id on the hub; check the path, or give ORG/NAME"],
    ),
    "a weight that is no share": (
        "interpolate model run output_dir=out weight=2", ["weight=2: must be less than or equal to 1"],
    ),
    "one of two": (
        "interpolate model output_dir=out",
        [
            "interpolate: needs a second folder of a run or a checkpoint; "
            "write interpolate FIRST SECOND output_dir=..."
        ],
    ),
    "an adapter to mix": (
        "interpolate model adapter output_dir=out", ["adapter: an adapter is no whole model; export it first"],
    ),
    "folders of configs": (
        "export model output_dir=out --config-dir=conf", ["--config-dir=conf: export reads no config groups; drop it"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_is_one_line(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed, expected = CASES[name]
    before = sorted(folder.rglob("*"))
    status = main(typed.split())
    said = capsys.readouterr()
    assert said.err.splitlines() == [text.replace("{folder}", str(folder)) for text in expected]
    assert (status, said.out, sorted(folder.rglob("*"))) == (2, "", before)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{", "model: its config.json is not valid JSON"),
        (
            '{"quantization_config": {"load_in_4bit": true}}',
            "model: its weights are quantised; export the adapter that was trained on it, or a whole model",
        ),
    ],
)
def test_a_checkpoint_that_is_none_is_named(
    config: str, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("model/config.json", config)
    assert main(["export", "model", "output_dir=out"]) == 2
    assert capsys.readouterr().err.splitlines() == [expected]
    (folder / "model" / "model.safetensors").unlink()
    write("model/config.json", "{}")
    assert main(["export", "model", "output_dir=out"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"model: no weights in {folder}/model"]


def test_an_osft_adapter_outside_its_run_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("adapter/adapter_config.json", json.dumps(ADAPTER | {"peft_type": "OSF"}))
    assert main(["export", "adapter", "output_dir=out"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "adapter: only its run knows which directions it has trained; leave it in the run's checkpoints/"
    ]


def test_the_final_checkpoint_of_a_run_goes_before_the_others(folder: Path) -> None:
    from training_hub.run import RunDir
    from training_hub.verbs.export.write import find

    run = RunDir(folder / "run")
    assert find("run").folder == run.final_checkpoint
    found = find("run/checkpoints/checkpoint-2").run
    assert found is not None
    assert found.path == run.path
    assert find("model").run is None


def test_without_a_final_checkpoint_the_newest_sound_one_counts(folder: Path) -> None:
    from training_hub.verbs.export.write import find

    shutil.rmtree(folder / "run/checkpoints/final")
    for age, name in enumerate(("torn-checkpoint-6", ".unfinished", "checkpoint-4", "checkpoint-2")):
        write(f"run/checkpoints/{name}/config.json", "{}")
        os.utime(folder / "run/checkpoints" / name, (1e9 - age, 1e9 - age))
    assert find("run").folder == folder / "run" / "checkpoints" / "checkpoint-4"


@pytest.mark.parametrize("verb", ["export", "interpolate"])
def test_each_has_a_help_of_its_own(verb: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: python -m training_hub {verb} ")
    assert "dtype " in text
