"""No weight that is no number is ever saved by the worker for TRL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workers.exact_steps.test_dpo import dpo  # noqa: F401  a fixture
from training_hub import checkpoints
from training_hub.errors import ConfigError, RunFailed
from training_hub.run import RunDir
from training_hub.workers.trl import train

pytestmark = pytest.mark.needs("trl", "torch", "accelerate")
MakeRun = Callable[..., Any]
SAVING = {"save_strategy": "steps", "save_steps": 1}


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put NaN into a weight after a step, as an update does that has gone wrong."""

    def after(step: int, part: str = "up_proj") -> None:
        import torch

        from training_hub.workers.exact_steps.steps import Steps

        begin = Steps._maybe_log_save_evaluate

        def poisoned(self: Steps, *args: Any, **kwargs: Any) -> None:
            if self.state.global_step == step:
                [weight, *_] = [value for name, value in self.model.named_parameters() if part in name]
                with torch.no_grad():
                    weight.view(-1)[0] = float("nan")
            begin(self, *args, **kwargs)

        monkeypatch.setattr(Steps, "_maybe_log_save_evaluate", poisoned)

    return after


def saved(run: RunDir) -> list[str]:
    return sorted(path.name for path in run.checkpoints.glob("*"))


@pytest.mark.parametrize("recipe", [{"weight_decay": 1e30}, {"learning_rate": 1e30}, {"learning_rate": 1e38}])
def test_the_last_step_cannot_ruin_what_is_saved(make_run: MakeRun, recipe: dict[str, Any]) -> None:
    run = make_run(recipe={"max_steps": 2, **recipe})
    with pytest.raises(RunFailed, match=r"not a number|holds NaN"):
        train(run, run.read_config())
    assert not run.final_checkpoint.exists()


def test_gradients_that_are_no_numbers_end_the_run_before_the_step(make_run: MakeRun) -> None:
    run = make_run(recipe={"learning_rate": 1e30, "logging_steps": 100, **SAVING})
    with pytest.raises(RunFailed, match=r"^(loss|grad_norm)=\w+: not a number at step 2; lower lr or max_grad_norm$"):
        train(run, run.read_config())
    assert saved(run) == ["checkpoint-1"]


@pytest.mark.parametrize("step", [2, 3])
def test_a_ruined_weight_is_named_and_no_checkpoint_has_it(
    make_run: MakeRun, poison: Callable[..., None], step: int
) -> None:
    from training_hub.workers import finite

    poison(step)
    run = make_run(recipe=SAVING)
    with pytest.raises(RunFailed, match=rf"^model\.layers\.0\.mlp\.up_proj\.weight: holds NaN .* after step {step}"):
        train(run, run.read_config())
    assert saved(run) == [f"checkpoint-{number}" for number in range(1, step)]
    assert finite.of_folder(run.checkpoints) is None


def test_a_weight_that_the_last_step_ruins_is_not_published(make_run: MakeRun, poison: Callable[..., None]) -> None:
    poison(3)
    run = make_run()
    with pytest.raises(RunFailed, match="after step 3"):
        train(run, run.read_config())
    assert saved(run) == []


def test_weights_that_do_not_fit_the_type_they_are_saved_in_are_not_saved(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training_hub.workers.exact_steps import last_update

    monkeypatch.setattr(last_update, "must_not_be_ruined", lambda *_: None)  # it would say so before
    run = make_run(recipe={"learning_rate": 1e5, "max_steps": 1}, backend={"save_dtype": "float16"})
    with pytest.raises(RunFailed, match="holds NaN or infinity after step 1"):
        train(run, run.read_config())
    assert saved(run) == []


@pytest.mark.parametrize("part", ["lora_B", "embed_tokens.weight"])
def test_an_adapter_and_the_model_under_it_stay_finite(
    make_run: MakeRun, poison: Callable[..., None], part: str
) -> None:
    from tests.workers.adapters.test_lora import lora

    poison(3, part)
    run = make_run(adapter=lora())
    with pytest.raises(RunFailed, match="holds NaN or infinity after step 3"):
        train(run, run.read_config())
    assert saved(run) == []


def test_a_run_resumes_from_the_last_checkpoint_whose_weights_are_finite(make_run: MakeRun) -> None:
    from safetensors.torch import load_file, save_file

    run = make_run(recipe=SAVING)
    train(run, run.read_config())
    newest = run.checkpoint(3)
    facts = checkpoints.read(newest).facts
    tensors = load_file(newest / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] = float("inf")
    save_file(tensors, newest / "model.safetensors", metadata={"format": "pt"})
    (newest / checkpoints.SEAL).unlink()
    checkpoints.seal(newest, **{name: value for name, value in facts.items() if name != "files"})
    assert train(run, run.read_config())["status"] == "completed"
    assert (run.checkpoints / "ruined-checkpoint-3").is_dir()
    assert checkpoints.latest_checkpoint(run).newest.step == 3


def test_a_model_that_is_no_number_from_the_start_is_refused(make_run: MakeRun, tiny: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny, tmp_path / "broken")
    tensors = load_file(tiny / "model.safetensors")
    save_file({name: value * float("nan") for name, value in tensors.items()}, tmp_path / "broken/model.safetensors")
    run = make_run(model={"path": str(tmp_path / "broken")})
    with pytest.raises(ConfigError, match="its weights are not finite"):
        train(run, run.read_config())


def ruining(what: str, step: int, **arguments: Any) -> dict[str, Any]:
    """A callback of the user's that ruins numbers, as a node of a config."""
    return {"mine": {"_target_": f"tests.workers.exact_steps.poison.{what}", "step": step, **arguments}}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_a_callback_ruins_is_not_saved_and_the_run_resumes_before_it(make_run: MakeRun, value: str) -> None:
    run = make_run(recipe=SAVING)
    with pytest.raises(RunFailed, match=r"holds NaN or infinity after step 2"):
        train(run, run.read_config() | {"callbacks": ruining("Weight", 2, value=value)})
    assert saved(run) == ["checkpoint-1"]
    assert train(run, run.read_config())["status"] == "completed"
    assert [row["step"] for row in run.read_metrics() if row["loss"] is not None] == [1, 2, 3]


def test_what_a_callback_ruins_in_the_last_step_is_no_final_model(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(RunFailed, match="holds NaN or infinity after step 3"):
        train(run, run.read_config() | {"callbacks": ruining("Weight", 3)})
    assert saved(run) == []


def test_gradients_that_a_callback_ruins_end_the_run(make_run: MakeRun) -> None:
    run = make_run(recipe=SAVING)
    with pytest.raises(RunFailed, match=r"^grad_norm=nan: not a number at step 2"):
        train(run, run.read_config() | {"callbacks": ruining("Gradient", 2)})
    assert saved(run) == ["checkpoint-1"]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # TRL's, of transformers
@pytest.mark.parametrize("recipe", [{"learning_rate": 1e38}, {"weight_decay": 1e38, "learning_rate": 10.0}])
@pytest.mark.parametrize("algorithm", ["dpo", "osft", "lora"])
def test_the_last_step_of_no_algorithm_can_ruin_what_is_saved(
    make_run: MakeRun,
    dpo: MakeRun,  # noqa: F811
    algorithm: str,
    recipe: dict[str, Any],
) -> None:
    from tests.workers.adapters.test_lora import lora
    from tests.workers.adapters.test_osft import osft

    recipe = {"max_steps": 1, **recipe}
    makes: dict[str, Callable[[], Any]] = {
        "dpo": lambda: dpo(recipe=recipe),
        "osft": lambda: osft(make_run, recipe=recipe),
        "lora": lambda: make_run(recipe=recipe, adapter=lora()),
    }
    run = makes[algorithm]()
    with pytest.raises(RunFailed, match=r"not a number|holds NaN|no better after step 1 than a guess"):
        train(run, run.read_config())
    assert saved(run) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("Weight", "(rank 1): holds NaN or infinity after step 2"),
        ("Gradient", "grad_norm=nan: not a number at step 2"),
    ],
)
def test_what_is_ruined_on_one_rank_ends_all(make_run: MakeRun, what: str, said: str) -> None:
    run = make_run(recipe=SAVING)
    run.config.write_text(yaml.safe_dump(run.read_config() | {"callbacks": ruining(what, 2, rank=1)}))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    worker = [*command, "-m", "training_hub.worker", str(run.path)]
    done = subprocess.run(worker, capture_output=True, text=True, check=False, timeout=300)
    result = run.read_result()
    assert (done.returncode, result and result.status) == (1, "failed")
    assert result is not None
    assert said in str(result.error)
    assert saved(run) == ["checkpoint-1"]
