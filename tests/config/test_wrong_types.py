"""A value of the wrong type is a fault of its own, and no check that reads it stumbles over it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from training_hub import train
from training_hub.config.hanging import hanging, is_sound, is_whole
from training_hub.errors import ConfigError
from training_hub.machine import hardware
from training_hub.terminal import harmless


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a model and rows, on a machine without a GPU."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    turns = [{"role": "user", "content": "How many legs?"}, {"role": "assistant", "content": "Eight."}]
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps({'messages': turns})}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hardware, "gpus", list)


def faults(*words: str) -> list[str]:
    given = {word.partition("=")[0] for word in words}
    base = [word for word in ("model_path=model", "data_path=rows.jsonl") if word.partition("=")[0] not in given]
    try:
        train.plan(train.composed([*base, *words]))
    except ConfigError as error:
        return list(error.faults)
    return []


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("model_path=null", "model_path=null: must be text"),
        ("model_path=[a]", "model_path=['a']: must be text"),
        ("data_path={a:1}", "data_path={'a': 1}: must be text"),
        ("output_dir=true", "output_dir=true: must be text"),
        ('block_size="5"', "block_size=5: must be a whole number"),
        ("data.chat_template=[a]", "data.chat_template=['a']: must be text"),
        ("data.cache_dir=[a]", "data.cache_dir=['a']: must be text"),
        ("backend.python=[a]", "backend.python=['a']: must be text"),
        (
            "backend.requires=['a b c']",
            "backend.requires=a b c: not the name of a package; write NAME or 'NAME>=VERSION'",
        ),
        ('model_path="a\x00b"', r"model_path=a\x00b: holds a NUL byte, which no path can"),
        ("backend.python={}", "backend.python={}: must be text"),
        ("launcher.nproc_per_node=[1]", "launcher.nproc_per_node=[1]: must be a whole number or 'auto' or 'gpu'"),
        (f"max_steps={10**23}", f"max_steps={10**23}: must fit in 64 bits"),
        (f"data.num_proc={10**23}", f"data.num_proc={10**23}: must fit in 64 bits"),
        ("num_epochs=1e308", "num_epochs=1e+308: must be less than or equal to 1000000000"),
        ("nproc_per_node=100000", "nproc_per_node=100000: must be less than or equal to 1024 or 'auto' or 'gpu'"),
        ("recipe.weight_decay=nan", "recipe.weight_decay=nan: must be a finite number"),
        (f"recipe.ddp_timeout={10**23}", f"recipe.ddp_timeout={10**23}: must fit in 64 bits"),
        ("recipe.optim_target_modules=5", "recipe.optim_target_modules=5: the library wants None | str | list[str]"),
        ("recipe.tf32=true", "recipe.tf32=true: needs a CUDA GPU; drop it"),
        ("recipe.fp16=true", "recipe.fp16=true: needs a CUDA GPU; drop it"),
        ("recipe=5", "recipe=5: follows from algorithm and backend; choose those"),
        ("recipe=null", "recipe=null: follows from algorithm and backend; choose those"),
        ("~eval_data_path", "~eval_data_path: a parameter cannot be deleted; set it to null or to its default"),
        ("~recipe.nonsense", "~recipe.nonsense: there is no such setting; drop it"),
        (f"{'x' * 300}=5", f"{'x' * 40}...: no such parameter, a name has at most 255 bytes"),
        (f"output_dir={'x' * 256}", f"output_dir={'x' * 256}: a name in a path has at most 255 bytes"),
        (f"output_dir='{'ü' * 128}'", f"output_dir={'ü' * 128}: a name in a path has at most 255 bytes"),
    ],
)
def test_a_wrong_value_is_its_own_fault_and_no_other(word: str, fault: str) -> None:
    assert faults(word) == [fault]


def test_a_path_that_is_too_long_is_a_fault() -> None:
    [text] = faults(f"data_path={'a/' * 2500}")
    assert text.endswith(": a path has at most 4,000 bytes")


@pytest.mark.parametrize("number", ["5", "1_000", "1e5", "0.50"])
def test_a_number_names_a_folder_as_it_was_typed(number: str) -> None:
    assert faults(f"model_path={number}")[0].startswith(f"model_path={number}: no such folder")
    plan = train.plan(train.composed(["model_path=model", "data_path=rows.jsonl", f"output_dir={number}"]))
    assert plan.config["output_dir"] == number


def test_a_faulty_value_hides_no_fault_of_another() -> None:
    found = faults("lr=much", "lr_scheduler=cosin", "seed=x", "data_path=nowhere.jsonl")
    assert {text.partition("=")[0] for text in found} == {"lr", "lr_scheduler", "seed", "data_path"}


def test_what_refers_to_a_faulty_value_hangs_on_it() -> None:
    cfg = train.composed(["model_path=model"]).cfg
    assert "recipe.learning_rate" in hanging(cfg, ["lr"])
    assert "launcher.world_size" in hanging(cfg, ["nproc_per_node"])  # by launcher.nproc_per_node
    assert "backend.python" in hanging(cfg, ["backend.requires"])  # by a relative reference
    assert hanging(cfg, []) == set()


def test_a_node_with_a_fault_inside_is_sound_and_not_whole() -> None:
    assert is_sound("data", {"data.seed"})
    assert not is_whole("data", {"data.seed"})
    assert not is_sound("data.seed", {"data"})


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        (
            "recipe._target_=trl.DPOConfig",
            "recipe._target_=trl.DPOConfig: the trainer SFT takes trl.SFTConfig; drop it",
        ),
        ("adapter._target_=training_hub.adapters.lora.LoRAAdapter", "adapter.merge: "),
        ("adapter._target_=training_hub.adapters.osf.OSFAdapter", "adapter.peft: "),
        ("logger.jsonl._target_=training_hub.loggers.wandb.WandbLogger", "logger.jsonl.project: "),
        (
            "launcher._target_=training_hub.interfaces.launcher.Launcher",
            "_target_=training_hub.interfaces.launcher.Launcher: is",
        ),
        ("backend._target_=${oc.env:NOPE}", "backend._target_: KeyError raised while resolving"),
        ("recipe._target_=${.x}", "recipe._target_: refers to x, which does not exist; correct the name"),
        ("resume=${oc.env:NOPE}", "resume: KeyError raised while resolving"),
        ("algorithm=[sft]", "algorithm=['sft']: one is chosen, not a list of them; give one name"),
    ],
)
def test_a_class_of_another_choice_is_refused_by_what_it_lacks(word: str, fault: str) -> None:
    assert any(text.startswith(fault) for text in faults(word))


@pytest.mark.parametrize("setting", ["output_dir", "data.cache_dir"])
@pytest.mark.parametrize("target", ["link", "nowhere"])
def test_a_link_that_leads_nowhere_is_no_folder(setting: str, target: str) -> None:
    Path("link").symlink_to(target)
    assert "link is a broken link" in faults(f"{setting}=link")[0]
    assert "link is a broken link" in faults(f"{setting}=link/inner")[0]


def test_a_model_at_the_end_of_a_circle_of_links_is_not_there() -> None:
    Path("link").symlink_to("link")
    assert faults("model_path=link")[0].startswith("model_path=link: no such folder")


@pytest.mark.needs("transformers")
@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ["lr_scheduler_kwargs={num_cycle:2}"],
            "lr_scheduler_kwargs.num_cycle=2: lr_scheduler=cosine does not take it; its arguments are num_cycles",
        ),
        (
            ["lr_scheduler=linear", "lr_scheduler_kwargs={num_cycles:2}"],
            "lr_scheduler_kwargs.num_cycles=2: lr_scheduler=linear does not take it; drop it",
        ),
        (["recipe.optim_args=foo"], "recipe.optim_args=foo: must be NAME=VALUE,NAME=VALUE; quote it: "),
        (["recipe.use_liger_kernel=true"], "recipe.use_liger_kernel=true: not installed: liger-kernel; pip install"),
        (["recipe.optim=galore_adamw"], "recipe.optim=galore_adamw: not installed: galore-torch; pip install"),
    ],
)
def test_what_the_library_takes_and_cannot_use_is_found_before(words: list[str], fault: str) -> None:
    [found] = faults(*words)
    assert found.startswith(fault)


_KEYS = [
    "model_path", "data_path", "output_dir", "resume", "lr", "max_steps", "packing", "sample_prompts", "lr_scheduler",
    "lr_scheduler_kwargs", "nproc_per_node", "rdzv_endpoint", "block_size", "data", "data.path", "data.train_on",
    "data.chat_template", "data.cache_dir", "model.path", "model.revision", "launcher.world_size", "backend.python",
    "backend.requires", "backend.worker", "recipe.optim", "recipe._target_", "recipe.optim_args", "logger.jsonl",
    "callbacks.x._target_", "algorithm._target_", "adapter", "nowhere", "",
]  # fmt: skip
_VALUES = st.sampled_from(
    ["null", "5", "-1e400", "true", "''", "[1]", "[[a]]", "{a:1}", "{a:{b:[1]}}", "'a\x00b'", "'\ud800'", "x" * 300,
     "${lr}", "${nope}", "${..}", "${data}", "???", "'???'", "os.path", "training_hub.cli.main", "/dev/zero", ".."]
)  # fmt: skip
_WORDS = st.tuples(st.sampled_from(_KEYS), st.sampled_from(["=", "=", "==", ""]), _VALUES | st.text(max_size=6))


@settings(max_examples=40, derandomize=True, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(words=st.lists(_WORDS.map("".join), min_size=1, max_size=2))
@example(words=["backend.requires=[1]", "output_dir=5"])
@example(words=['resume="???"'])
@example(words=["output_dir=${..}"])
@example(words=["model_path={a:1}", "lr=much"])
def test_whatever_is_typed_is_planned_or_refused_line_by_line(words: list[str]) -> None:
    before = set(Path().iterdir())
    for text in faults(*words):
        assert text == harmless(text)
        assert not {"\n", "\t"} & set(text)
        assert ": " in text
    assert set(Path().iterdir()) == before
