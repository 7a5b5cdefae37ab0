"""What files of settings would have run: refused by every verb, allowed by what is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_hub import train
from training_hub.cli import main
from training_hub.config.words import runs
from training_hub.errors import ConfigError
from training_hub.installed import environments, interpreter
from training_hub.verbs.list.tables import listing

GIVEN = ["model_path=model", "data_path=rows.jsonl"]
VERBS = (
    ["explain"], ["plan"], ["doctor"], ["validate"], ["estimate"], ["--help"], ["--cfg", "job"],
    ["--cfg", "job", "--resolve"], ["--cfg", "hydra"], ["--info", "config"], ["--info", "all"], ["train"],
    ["-m"], ["plan", "-m"], ["-m", "hydra/launcher=joblib"],
)  # fmt: skip
Write = Callable[..., list[str]]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that an interpreter leaves when it is executed; it stands beside, as `python`."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\ntouch {tmp_path}/canary\nexec python3 "$@"\n')
    script.chmod(0o755)
    return tmp_path / "canary"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Path) -> Write:
    """A function that writes an option into a folder of the user's, and returns the words that choose it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps({'messages': turns})}\n" * 3)
    (tmp_path / "hub_test_evil.py").write_text(
        f"from pathlib import Path\nPath({str(canary)!r}).touch()\ndef train(run, config): pass\n"
    )

    def written(text: str, group: str = "experiment") -> list[str]:
        file = tmp_path / "conf" / group / "mine.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(("# @package _global_\n" if group == "experiment" else "") + text)
        return ["--config-dir", str(tmp_path / "conf"), f"{'+' if group == 'callbacks' else ''}{group}=mine"]

    return written


# What an experiment says -> how the answer begins; PYTHON is the interpreter that must not run.
SAID = {
    "an interpreter": ("backend: {python: PYTHON}", "backend.python=PYTHON: executes code, so experiment/mine"),
    "trust": ("trust: true\nbackend: {python: PYTHON}", "backend.python=PYTHON: executes code, so"),
    "trust alone": ("trust: true", "trust=true: counts only where it is typed, and experiment/mine.yaml says it"),
    "a resolver that looks into an interpreter": (
        "model: {attn_implementation: '${without_flash_attention:auto,PYTHON}'}", "model.attn_implementation=${without",
    ),
    "such a resolver in a number": ("lr: ${without_flash_attention:auto,PYTHON}", "backend.python=PYTHON: executes"),
    "such a resolver in a choice": ("defaults: [{/data: '${without_flash_attention:auto,PYTHON}'}]", ""),
    "an interpreter by another name": ("backend: {python: '${seed}'}\nseed: PYTHON", "backend.python=${seed}: exec"),
    "a worker": ("backend: {worker: hub_test_evil.train}", "backend.worker=hub_test_evil.train: code of hub_test_evil"),
    "a worker of ours that is none": ("backend: {worker: training_hub.cli.main}", "backend.worker=training_hub."),
    "a worker by reference": (
        "backend: {worker: '${model_path}'}\nmodel_path: hub_test_evil.train", "backend.worker=hub_test_evil.train:",
    ),
    "a logger's worker": (
        "logger: {x: {_target_: training_hub.loggers.base.Logger, worker: hub_test_evil.C, requires: []}}",
        "logger.x.worker=hub_test_evil.C: code of hub_test_evil is not run from a config",
    ),
    "a logger": ("logger: {x: {_target_: hub_test_evil.C, worker: null, requires: []}}", "_target_=hub_test_evil.C"),
    "a callback of ours that is none": (
        "callbacks: {x: {_target_: training_hub.cli.os.system}}", "callbacks.x._target_=training_hub.cli.os.system: no",
    ),
    "a backend": ("backend: {_target_: training_hub.cli.os.system}", "_target_=training_hub.cli.os.system: no such"),
    "a launcher": ("launcher: {_target_: hub_test_evil.L}", "_target_=hub_test_evil.L: code of hub_test_evil is not"),
    "a backend in place of a launcher": (
        "launcher: {_target_: training_hub.backends.trl.TRLBackend}", "_target_=training_hub.backends.trl.TRL",
    ),
    "an adapter": ("adapter: {_target_: hub_test_evil.A}", "_target_=hub_test_evil.A: code of hub_test_evil is not"),
    "an algorithm": ("algorithm: {_target_: hub_test_evil.A}", "_target_=hub_test_evil.A: code of hub_test_evil is"),
    "code of a model": ("trust_remote_code: true", "trust_remote_code=true: executes code, so experiment/mine"),
    "the same of the node": ("model: {trust_remote_code: true}", "model.trust_remote_code=true: executes code"),
    "the same of the library": ("recipe: {model_init_kwargs: {trust_remote_code: true}}", "recipe.model_init_kwargs."),
    "a kernel from the hub": ("model: {attn_implementation: someone/kernel}", "model.attn_implementation=someone/ker"),
    "shell": ("launcher: {setup: [touch canary]}", "launcher.setup=['touch canary']: executes code, so exper"),
    "arguments of srun": ("launcher: {srun: [--task-prolog=x]}", "launcher.srun=['--task-prolog=x']: executes code"),
    "an option of sbatch": ("launcher: {sbatch: {export: BASH_ENV=x}}", "launcher.sbatch.export=BASH_ENV=x: executes"),
    "options of sbatch by reference": ("launcher: {sbatch: '${lr}'}", "launcher.sbatch=${lr}: executes code"),
    "a callback of Hydra's": ("hydra: {callbacks: {x: {_target_: hub_test_evil.C}}}", "hydra.callbacks.x._target_="),
    "a plugin of Hydra's": ("hydra: {sweeper: {_target_: os.system}}", "hydra.sweeper._target_=os.system: a class of"),
    "a factory of logging": ("hydra: {hydra_logging: {handlers: {x: {'()': os.system}}}}", "hydra.hydra_logging.handl"),
    "a class of logging": ("hydra: {job_logging: {handlers: {x: {class: subprocess.Popen}}}}", "hydra.job_logging.ha"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("verb", [["explain"], ["plan"], ["train"]], ids=" ".join)
def test_a_file_alone_runs_nothing(
    verb: list[str], name: str, write: Write, canary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = (each.replace("PYTHON", str(canary.with_name("python"))) for each in SAID[name])
    chosen = write(text)
    model = [] if "model_path:" in text else GIVEN[:1]
    assert main([*verb, *chosen, *model, GIVEN[1]]) == 2
    assert expected in "\n" + capsys.readouterr().err
    assert not canary.exists()


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_executes_what_a_file_names(
    verb: list[str], write: Write, canary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = canary.with_name("python")
    chosen = write(f"backend: {{python: {python}}}")
    assert main([*verb, *chosen, *GIVEN, *(["seed=1,2"] if "-m" in verb else [])]) == 2
    assert (
        f"backend.python={python}: executes code, so experiment/mine.yaml alone cannot set it"
        in capsys.readouterr().err
    )
    assert not canary.exists()


@pytest.mark.parametrize("group", ["backend", "launcher", "hydra/launcher", "hydra/sweeper"])
def test_an_option_of_the_users_is_a_file_like_any_other(
    group: str, write: Write, canary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = {
        "backend": f"defaults: [trl, _self_]\npython: {canary.with_name('python')}\n",
        "launcher": f"# @package _global_\ndefaults: [slurm, _self_]\nlauncher: {{setup: [touch {canary}]}}\n",
    }.get(group, f"_target_: hydra_plugins.x.Y\nx: {{_target_: os.system, command: touch {canary}}}\n")
    chosen = write(text, group)
    recipe = canary.with_name("conf") / "recipe" / "sft"
    recipe.mkdir(parents=True)
    (recipe / "mine.yaml").write_text("defaults: [/recipe/sft/trl@_here_, _self_]\n")
    assert main(["-m", *chosen, *GIVEN, "seed=1,2"]) == 2
    said = capsys.readouterr().err
    assert f"executes code, so {group}/mine.yaml alone" in said or f"by name ({group}/mine.yaml, line 1)" in said
    assert not canary.exists()


def test_what_is_typed_is_executed(write: Write, canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = canary.with_name("python")
    chosen = write("lr: 1e-4")
    assert main(["explain", *chosen, *GIVEN, f"backend.python={python}"]) == 0
    assert canary.exists()
    assert str(python) in capsys.readouterr().out


def test_trust_vouches_for_the_files_of_the_command(write: Write, canary: Path) -> None:
    chosen = write(f"backend: {{python: {canary.with_name('python')}}}")
    assert main(["explain", *chosen, *GIVEN, "trust=false"]) == 2
    assert not canary.exists()
    assert main(["explain", *chosen, *GIVEN, "trust=true"]) == 0
    assert canary.exists()


def test_trust_vouches_for_code_that_is_of_the_right_kind(
    write: Write, canary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = write("backend: {worker: hub_test_evil.train}\nlauncher: {_target_: os.system}")
    assert main(["explain", *chosen, *GIVEN, "trust=true"]) == 2
    assert capsys.readouterr().err == "_target_=os.system: no such class; give package.module.Class\n"
    planned = train.plan(train.composed([*write("backend: {worker: hub_test_evil.train}")[2:], *GIVEN, "trust=true"],
                                        [str(canary.with_name("conf"))]))  # fmt: skip
    assert "hub_test_evil" in planned.spec.env["TRAINING_HUB_TARGETS"].split(",")
    assert not canary.exists(), "the front imports no worker"


def test_what_is_typed_in_place_of_a_files_word_is_taken(write: Write, canary: Path) -> None:
    chosen = write(f"backend: {{python: {canary.with_name('python')}}}\ntrust_remote_code: true")
    assert main(["explain", *chosen, *GIVEN, "backend.python=null", "trust_remote_code=false"]) == 0
    assert not canary.exists()


def test_the_words_count_in_sweeps_too(write: Write, canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = write(f"backend: {{python: {canary.with_name('python')}}}\ntrust_remote_code: true")
    typed = ["backend.python=null", "trust_remote_code=false,true"]
    assert main(["plan", "-m", *chosen, *GIVEN, *typed]) == 0
    assert not canary.exists()
    assert "trust_remote_code: true" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "trust_remote_code: false", "backend: {python: null}", "model: {attn_implementation: sdpa}",
        "backend: {python: '${own_python:trl,${.requires}}'}", "model: {trust_remote_code: '${trust_remote_code}'}",
        "callbacks: {stop: {_target_: training_hub.EarlyStopping, patience: 3, metric: eval_loss, min_delta: 0.0, "
        "save_best: true}}\neval_fraction: 0.5\neval_steps: 1",
    ],
)  # fmt: skip
def test_what_a_file_may_say(text: str, write: Write) -> None:
    assert main(["explain", *write(text), *GIVEN]) == 0


def test_a_file_may_say_where_a_job_runs() -> None:
    assert not any(runs(f"launcher.sbatch.{name}", "x") for name in ("qos", "mail-type", "gres", "nodelist"))
    assert all(runs(f"launcher.sbatch.{name}", "x") for name in ("export", "prolog", "wrap", "container", "bb"))


def test_a_file_may_name_an_environment_that_was_made_here(
    write: Write, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "envs"))
    python = environments.python_in(tmp_path / "envs" / "trl")
    python.parent.mkdir(parents=True)
    python.symlink_to(canary.with_name("python"))
    assert main(["explain", *write(f"backend: {{python: {python}}}"), *GIVEN]) == 0
    assert canary.exists()
    canary.unlink()
    around = f"{tmp_path}/envs/../envs/trl/bin/python"
    assert main(["explain", *write(f"backend: {{python: {around}}}"), *GIVEN]) == 2
    assert environments.python_of("../envs/trl") is None
    assert not canary.exists()


def test_no_interpreter_runs_that_nobody_has_allowed(canary: Path) -> None:
    for asked in (interpreter.look_at, lambda python: interpreter.running(python, "training_hub.worker")):
        with pytest.raises(ConfigError, match="executes code, so a file alone cannot set it"):
            asked(str(canary.with_name("python")))
    listing()
    assert not canary.exists()


_WORD = st.sampled_from([
    "backend", "python", "worker", "logger", "x", "launcher", "setup", "srun", "sbatch", "export", "hydra", "_target_",
    "()", "callbacks", "recipe", "model", "data", "adapter", "peft",
])  # fmt: skip
_LEAF = st.sampled_from([
    "PYTHON", "hub_test_evil.train", "hub_test_evil.C", "os.system", "training_hub.cli.os.system", "touch canary",
    "${without_flash_attention:auto,PYTHON}", "${own_python:../..,[]}",
])  # fmt: skip
_TREES = st.recursive(_LEAF, lambda inner: st.dictionaries(_WORD, inner, max_size=3) | st.lists(inner, max_size=2))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(tree=st.dictionaries(_WORD, _TREES, min_size=1, max_size=3), verb=st.sampled_from(["explain", "plan"]))
def test_whatever_a_file_says_nothing_is_executed(
    tree: dict[str, object], verb: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("said")
    (place / "hub_test_evil.py").write_text(f"open({str(place / 'canary')!r}, 'w').close()\n")
    (place / "python").write_text(f"#!/bin/sh\ntouch {place}/canary\n")
    (place / "python").chmod(0o755)
    (place / "experiment").mkdir()
    text = json.dumps(tree).replace("PYTHON", str(place / "python")).replace("canary", f"{place}/canary")
    (place / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        patched.syspath_prepend(str(place))
        main([verb, "--config-dir", str(place), "experiment=mine", *GIVEN])
    assert not (place / "canary").exists()
