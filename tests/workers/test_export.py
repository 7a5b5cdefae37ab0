"""Whole exports of a tiny model: what comes out says what went in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workers.adapters.test_lora import base, logits, lora
from training_hub.errors import ConfigError, RunFailed
from training_hub.run import TrainResult
from training_hub.workers.trl import train

pytestmark = [
    pytest.mark.needs("trl", "torch", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by PEFT
]
MakeRun = Callable[..., Any]
SAVING = {"save_strategy": "steps", "save_steps": 3}


def trained(make_run: MakeRun, name: str = "run", **changes: Any) -> Any:
    """A run that has ended, as the front leaves it."""
    run = make_run(name, **changes)
    outcome = train(run, run.read_config())
    run.update_manifest(status="completed", algorithm="sft", backend="trl", python="3.11", training_hub="0.1.0")
    run.write_result(TrainResult("completed", str(run.path), outcome["checkpoint_path"], outcome["metrics"], 1.0))
    return run


def request(of: Any, place: Path, **changes: Any) -> dict[str, Any]:
    """What the front asks of the worker for a run's final checkpoint."""
    asked = {
        "source": str(of.final_checkpoint), "run": str(of.path), "model_path": None, "dtype": "auto",
        "output_dir": str(place), "trust_remote_code": False, "prompt": None,
    }  # fmt: skip
    return asked | changes


def export(of: Any, place: Path, **changes: Any) -> Any:
    """Export in this process; the model that came out, in float32."""
    from training_hub.workers.export.work import fulfil

    fulfil(request(of, place, **changes))
    return base(place)


def dtypes(folder: Path) -> set[str]:
    from safetensors.torch import load_file

    return {str(value.dtype).removeprefix("torch.") for value in load_file(folder / "model.safetensors").values()}


@pytest.mark.parametrize("changes", [{}, {"use_dora": True}, {"use_rslora": True, "rank_pattern": {"q_proj": 2}}])
def test_an_exported_adapter_says_what_model_and_adapter_say(
    make_run: MakeRun, tiny: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    from peft import PeftModel

    run = trained(make_run, adapter=lora(**changes))
    model = export(run, tmp_path / "out", model_path=str(tiny), dtype="float32")
    apart = logits(PeftModel.from_pretrained(base(tiny), run.final_checkpoint))
    assert (logits(model) - apart).abs().max() < 1e-5
    assert (logits(base(tiny)) - apart).abs().max() > 0.01
    assert dtypes(tmp_path / "out") == {"float32"}
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "out").iterdir()} == {"0o644"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_a_whole_model_is_exported_as_it_is(make_run: MakeRun, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    run = trained(make_run)
    export(run, tmp_path / "out")
    before, after = (load_file(folder / "model.safetensors") for folder in (run.final_checkpoint, tmp_path / "out"))
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    assert {value.dtype for value in before.values()} == {value.dtype for value in after.values()}


def test_an_adapter_comes_in_the_dtype_of_its_model_unless_told_otherwise(
    make_run: MakeRun, tiny: Path, tmp_path: Path
) -> None:
    run = trained(make_run, adapter=lora())
    for dtype, expected in (("auto", "bfloat16"), ("float16", "float16")):
        export(run, tmp_path / dtype, model_path=str(tiny), dtype=dtype)
        assert dtypes(tmp_path / dtype) == {expected}
        assert json.loads((tmp_path / dtype / "config.json").read_text())["dtype"] == expected


@pytest.mark.parametrize("how", [True, "pissa", "olora"])
def test_an_intermediate_adapter_is_exported_with_the_weights_that_it_was_trained_on(
    make_run: MakeRun, tiny: Path, tmp_path: Path, how: Any
) -> None:
    changes = {
        "recipe": SAVING,
        "adapter": lora(merge=True, init_lora_weights=how),
        "backend": {"save_dtype": "float32"},
    }
    run = trained(make_run, **changes)
    model = export(run, tmp_path / "out", model_path=str(tiny), source=str(run.checkpoints / "checkpoint-3"))
    assert (logits(model) - logits(base(run.final_checkpoint))).abs().max() < 1e-5


def test_an_intermediate_checkpoint_of_osft_becomes_the_model_that_it_stands_for(
    make_run: MakeRun, tiny: Path, tmp_path: Path
) -> None:
    adapter = {"target_patterns": None, "peft": {"_target_": "peft.OSFConfig", "effective_rank": 0.75}}
    run = trained(make_run, recipe=SAVING, adapter=adapter, backend={"save_dtype": "float32"})
    model = export(run, tmp_path / "out", model_path=str(tiny), source=str(run.checkpoints / "checkpoint-3"))
    assert (logits(model) - logits(base(run.final_checkpoint))).abs().max() < 1e-5
    assert (logits(model) - logits(base(tiny))).abs().max() > 1e-3
    assert dtypes(tmp_path / "out") == {"float32"}


def test_the_card_tells_of_data_parameters_results_and_versions_and_of_no_machine(
    make_run: MakeRun, tmp_path: Path
) -> None:
    from huggingface_hub import ModelCard

    run = trained(make_run)
    export(run, tmp_path / "my-model")
    text = (tmp_path / "my-model" / "README.md").read_text()
    data = ModelCard.load(tmp_path / "my-model" / "README.md").data
    assert (data.library_name, data.pipeline_tag, data.tags) == (
        "transformers", "text-generation", ["training-hub", "sft", "trl"],
    )  # fmt: skip
    assert data.base_model is None  # a folder is no name that strangers know
    metrics = run.read_result().metrics
    for part in (
        "# my-model", f"| {metrics['eval_loss_before']:.4f} | {metrics['eval_loss_after']:.4f} |",
        "| train | `run.train.jsonl` | messages | 12 |", f"| torch | {run.read_manifest()['versions']['torch']} |",
        'pipeline("text-generation", model="my-model")', "3 steps",
    ):  # fmt: skip
        assert part in text
    assert str(tmp_path) not in text


def test_ids_on_the_hub_and_the_license_of_the_base_reach_the_card(make_run: MakeRun, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    from training_hub.workers.export import card

    run = trained(make_run)
    config = run.read_config()
    config["model"]["path"], config["data"]["path"] = "owner/base", "owner/data"
    run.config.write_text(json.dumps(config))
    found = ModelCard(card.card("m", card.origin_of_run(request(run, tmp_path), []), "1 parameter")).data
    assert (found.base_model, found.datasets) == (["owner/base"], ["owner/data"])
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "README.md").write_text("---\nlicense: other\nlicense_name: mine\n---\n# Base\n")
    config["model"]["path"] = str(tmp_path / "base")
    run.config.write_text(json.dumps(config))
    found = ModelCard(card.card("m", card.origin_of_run(request(run, tmp_path), []), "1 parameter")).data
    assert (found.base_model, found.license, found.license_name) == (None, "other", "mine")


def test_an_adapter_without_a_run_is_exported_too(make_run: MakeRun, tiny: Path, tmp_path: Path) -> None:
    run = trained(make_run, adapter=lora())
    export(run, tmp_path / "out", run=None, model_path=str(tiny))
    assert "Exported from" in (tmp_path / "out" / "README.md").read_text()


def test_an_adapter_of_another_model_is_one_line_and_leaves_nothing(
    make_run: MakeRun, tiny: Path, tmp_path: Path
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    run = trained(make_run, adapter=lora())
    LlamaForCausalLM(LlamaConfig.from_pretrained(tiny, hidden_size=64, head_dim=16)).save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"^checkpoint=.*: its adapter does not load: "):
        export(run, tmp_path / "place" / "out", model_path=str(tmp_path / "other"))
    assert list((tmp_path / "place").iterdir()) == []


def test_weights_that_are_not_those_written_are_told(make_run: MakeRun, tmp_path: Path) -> None:
    import torch

    from training_hub.workers.export import proof

    run = trained(make_run)
    model = export(run, tmp_path / "out", dtype="float32")
    asked = request(run, tmp_path / "out")
    assert proof.prove(tmp_path / "out", asked, model).startswith("loaded again; asked 'What is ")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] += 1
    with pytest.raises(RunFailed, match=r"out: model\.layers\.1\.mlp\.up_proj\.weight is not what was written"):
        proof.prove(tmp_path / "out", asked, model)


@pytest.fixture
def two(make_run: MakeRun) -> tuple[Any, Any]:
    return tuple(trained(make_run, f"{seed}", recipe={"seed": seed}) for seed in (1, 2))  # type: ignore[return-value]


def mixture(first: Path, second: Path, place: Path, weight: float, dtype: str = "auto") -> dict[str, Any]:
    """The weights that come out."""
    from safetensors.torch import load_file

    from training_hub.workers.export.work import fulfil

    asked = {"source": str(first), "other": str(second), "weight": weight, "dtype": dtype}
    fulfil(asked | {"output_dir": str(place), "trust_remote_code": False})
    return {name: value for file in place.glob("*.safetensors") for name, value in load_file(file).items()}


def test_a_mixture_lies_between_the_two(two: tuple[Any, Any], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folders = [run.final_checkpoint for run in two]
    first, second = (load_file(folder / "model.safetensors") for folder in folders)
    for weight, expected in ((0.0, first), (1.0, second)):
        mixed = mixture(*folders, tmp_path / f"{weight}", weight)
        assert all(mixed[name].equal(expected[name]) for name in expected)
    mixed = mixture(*folders, tmp_path / "between", 0.25, "float32")
    for name in first:
        between = 0.75 * first[name].double() + 0.25 * second[name].double()
        assert (mixed[name].double() - between).abs().max() < 1e-6
    assert json.loads((tmp_path / "between" / "config.json").read_text())["dtype"] == "float32"
    assert re.search(r"0\.75 of `1` and 0\.25 of `2`", (tmp_path / "between" / "README.md").read_text())


def test_a_mixture_of_several_files_has_the_same_files(two: tuple[Any, Any], tmp_path: Path) -> None:
    whole = [run.final_checkpoint for run in two]
    shutil.copytree(whole[0], tmp_path / "parts", ignore=shutil.ignore_patterns("*.safetensors"))
    base(whole[0]).save_pretrained(tmp_path / "parts", max_shard_size="40KB")
    mixed = mixture(tmp_path / "parts", whole[1], tmp_path / "out", 0.5)
    assert all(mixed[name].equal(value) for name, value in mixture(*whole, tmp_path / "one", 0.5).items())
    names = [{path.name for path in (tmp_path / place).glob("model*")} for place in ("parts", "out")]
    assert names[0] == names[1]
    assert len(names[0]) > 2


def test_two_that_do_not_fit_are_one_line(two: tuple[Any, Any], tiny: Path, tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    for change, rule in (
        (
            {"intermediate_size": 32},
            r"mlp\.down_proj\.weight has the shape \[32, 32\], in the other \[32, 64\]; mix two",
        ),
        ({"num_hidden_layers": 1}, r"has no model\.layers\.1\.\S+, the other has; mix two"),
    ):
        LlamaForCausalLM(LlamaConfig.from_pretrained(tiny, **change)).save_pretrained(tmp_path / "other")
        with pytest.raises(ConfigError, match=f"^checkpoint=.*other: .*{rule}"):
            mixture(two[0].final_checkpoint, tmp_path / "other", tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()
