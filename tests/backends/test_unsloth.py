"""unsloth: its real source against the recipe, and the genuine library from end to end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import typed as given
from tests.backends.conftest import COMMON, UNSLOTH, environment
from tests.verbs.conftest import folder  # noqa: F401  a fixture
from training_hub import train
from training_hub.backends.unsloth import UnslothBackend
from training_hub.config.check import check
from training_hub.errors import ConfigError
from training_hub.installed import signature
from training_hub.run import RunDir

LOAD = "unsloth.models.loader.FastLanguageModel.from_pretrained"
ADAPT = "unsloth.models.llama.FastLlamaModel.get_peft_model"
NODES = {"backend.load": LOAD, "backend.adapt": ADAPT, "recipe": "transformers.TrainingArguments"}
GIVEN = ["algorithm=lora_sft", "backend=unsloth", "model_path=model", "data_path=rows.jsonl", "output_dir=run"]
Lora = Callable[[str], RunDir]

beside = pytest.mark.skipif(not UNSLOTH.is_dir(), reason="unsloth is not installed beside this environment")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """unsloth's source, on the path of this process; what it needs in other versions is not."""
    for name in ("unsloth", "unsloth_zoo"):
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / "source" / name).symlink_to(UNSLOTH / name)
    monkeypatch.syspath_prepend(str(tmp_path / "source"))


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def faults(*typed: str) -> list[str]:
    composition = train.composed([*GIVEN, *typed])
    return check(composition)


def refused(*typed: str) -> list[str]:
    """The faults of a run, but for those of a machine that has neither a GPU nor unsloth."""
    with pytest.raises(ConfigError) as error:
        train.plan(train.composed(given.beside([*GIVEN, "backend.needs_gpu=false"], typed)))
    return [text for text in error.value.faults if "not installed" not in text]


@beside
@pytest.mark.usefixtures("source", "here")
class TestSource:
    """What the recipe says is what the functions of unsloth take."""

    @pytest.mark.parametrize("node", NODES)
    def test_every_line_of_the_recipe_is_an_argument(self, node: str) -> None:
        composition = train.composed(GIVEN)
        given = composition.schema.libraries[node]
        assert given is not None
        assert len(given) > 20
        from omegaconf import OmegaConf

        assert set(map(str, OmegaConf.select(composition.cfg, node))) - {"_target_"} <= set(given)

    @pytest.mark.parametrize("node", ["backend.load", "backend.adapt"])
    def test_every_other_argument_can_be_given_or_is_the_workers(self, node: str) -> None:
        owned = UnslothBackend.libraries[node]
        arguments = signature.arguments(NODES[node]) or {}
        assert set(owned) <= set(arguments)
        free = [name for name in arguments if name not in owned]
        assert len(free) > 5
        assert faults(*(f"{node}.{name}=1" for name in free)) == []

    @pytest.mark.parametrize("node", ["backend.load", "backend.adapt"])
    def test_what_the_worker_sets_is_refused_with_what_to_use_instead(self, node: str) -> None:
        for name, instead in UnslothBackend.libraries[node].items():
            way = f"use {instead}" if instead else "drop it"
            assert faults(f"{node}.{name}=1") == [f"{node}.{name}=1: the project's worker sets this; {way}"]

    def test_a_misspelled_argument_is_named(self) -> None:
        assert faults("backend.load.offload_embeding=true") == [
            "backend.load.offload_embeding=true: no such parameter; did you mean backend.load.offload_embedding?"
        ]

    def test_the_class_that_the_worker_calls_has_the_functions_that_the_recipe_names(self) -> None:
        # unsloth/models/loader.py: get_peft_model passes everything on to FastLlamaModel's
        assert list(signature.arguments(f"{LOAD.rpartition('.')[0]}.get_peft_model") or ()) == ["model"]
        assert {"r", "lora_alpha", "init_lora_weights"} <= set(signature.arguments(ADAPT) or ())


CASES = {
    "an attention": (
        "model.attn_implementation=sdpa",
        "unsloth takes the fastest one that is installed, whatever is asked for; drop it",
    ),
    "a type of the weights": ("model.dtype=float16", "this worker scales no losses; use bfloat16 or float32"),
    "a scheduler": ("lr_scheduler=cosinee", "no such choice; did you mean cosine?"),
    "transformers' own checkpointing": (
        "recipe.gradient_checkpointing=true", "the project's worker sets this; use gradient_checkpointing",
    ),
    "kernels of others": ("recipe.use_liger_kernel=true", "the project's worker sets this; drop it"),
    "another class": (
        "recipe._target_=trl.SFTConfig",
        "the trainer UnslothSFT takes transformers.TrainingArguments; drop it",
    ),
}  # fmt: skip


@pytest.mark.needs("trl")
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_is_refused(name: str) -> None:
    typed, rule = CASES[name]
    assert refused(typed) == [f"{typed}: {rule}"]


@pytest.mark.usefixtures("here")
def test_a_machine_without_a_gpu_is_told_so_in_one_line() -> None:
    assert "backend=unsloth: needs a CUDA GPU; none was found here; on this machine use backend=trl" in refused(
        "backend.needs_gpu=true"
    )


@pytest.fixture(scope="session")
def lora(place: Path, unsloth_python: Path) -> Lora:
    """A run of lora_sft through the real command line, by its name; made when it is first asked for."""
    kinds = {"trl": [], "unsloth": ["backend=unsloth", f"backend.python={unsloth_python}", "nproc_per_node=2"]}
    common = ["algorithm=lora_sft", "lora_r=4", "merge=true", "eval_data_path=eval.jsonl"]
    common += ["model.dtype=float32", "recipe.bf16=false"]
    made: dict[str, RunDir] = {}

    def run(name: str) -> RunDir:
        if name not in made:
            output = f"lora_{name}"
            words = [*COMMON, *common, *kinds[name], f"output_dir={output}"]
            words = list({word.partition("=")[0]: word for word in words}.values())
            done = subprocess.run(
                [sys.executable, "-m", "training_hub", *words],
                cwd=place, env=environment(), capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr + RunDir(place / output).log_tail(60)
            made[name] = RunDir(place / output)
        return made[name]

    return run


def column(run: RunDir, key: str) -> list[Any]:
    return [row[key] for row in run.read_metrics() if row["loss"] is not None]


@beside
@pytest.mark.slow
@pytest.mark.needs("torch", "trl")
class TestRuns:
    """The genuine library in its own environment; on a machine without a GPU it trains on the processor."""

    def test_losses_gradients_and_held_out_losses_are_those_of_trl(self, lora: Lora) -> None:
        found, expected = lora("unsloth"), lora("trl")
        assert column(found, "loss") == pytest.approx(column(expected, "loss"), abs=5e-6)
        assert column(found, "grad_norm") == pytest.approx(column(expected, "grad_norm"), rel=1e-4)
        ends = [run.read_result().metrics for run in (found, expected)]  # type: ignore[union-attr]
        assert ends[0]["eval_loss_after"] == pytest.approx(ends[1]["eval_loss_after"], abs=5e-6)

    def test_the_run_was_unsloths_in_its_own_environment(self, lora: Lora) -> None:
        manifest = lora("unsloth").read_manifest()
        assert manifest["versions"]["unsloth"] == "2026.10.9"
        assert manifest["versions"]["transformers"] == "5.17.0"
        assert manifest["resolved"]["packing"] is True
        assert manifest["world_size"] == 2
        assert lora("trl").read_manifest()["versions"]["transformers"] != "5.17.0"
        assert "Unsloth" in lora("unsloth").log.read_text()

    def test_the_merged_model_is_that_of_trl(self, lora: Lora) -> None:
        from safetensors.torch import load_file

        found, expected = (load_file(lora(name).final_checkpoint / "model.safetensors") for name in ("unsloth", "trl"))
        assert found.keys() == expected.keys()
        assert all((found[key] - expected[key]).abs().max() < 2e-5 for key in expected)
