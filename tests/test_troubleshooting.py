"""docs/troubleshooting.md against what the program prints: each message has its line there, each line its message."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.golden import assert_golden
from tests.workers.conftest import make_run, tiny  # noqa: F401  fixtures
from training_hub import train
from training_hub.cli import main
from training_hub.errors import HubError
from training_hub.machine import hardware
from training_hub.run import RunDir, TrainResult
from training_hub.sweep_dir import Job, SweepDir

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"
GOLDEN = Path(__file__).parent / "golden"
TURNS = [{"role": "user", "content": "How many legs has a spider?"}, {"role": "assistant", "content": "Eight."}]
FILES = {
    "rows.jsonl": f"{json.dumps({'messages': TURNS})}\n" * 4,
    "more.jsonl": f"{json.dumps({'messages': TURNS})}\n" * 5,
    "torn.jsonl": f"{json.dumps({'messages': TURNS})}\n{{\n" + '{"text": "x"}\n',
    "strange.jsonl": '{"question": "x", "answer": "y"}\n',
    "pairs.jsonl": '{"prompt": "x", "chosen": "y", "rejected": "z"}\n',
    "empty.jsonl": "",
    "rows.txt": "x\n",
    "model/config.json": '{"architectures": ["LlamaForCausalLM"]}',
    "other/config.json": '{"architectures": ["MistralForCausalLM"]}',
    "bare/config.json": "{}",
    "bare/tokenizer_config.json": "{}",
    "nothing/readme": "",
    "small/config.json": '{"vocab_size": 50}',
    "ids.jsonl": '{"input_ids": [50], "labels": [50]}\n',
    "nul.csv": "prompt,completion\na,b\0\n",
    "both.jsonl": '{"prompt": "p", "completion": "c", "document": "d"}\n',
    "half.jsonl": '{"prompt": "\\ud800", "completion": "x"}\n',
    "saved/dataset_info.json": "{}",
    "run/overrides.yaml": "[]",
    "run/manifest.json": '{"status": "completed"}',
    "full/notes.txt": "",
    "conf/experiment/mine.yaml": "# @package _global_\nlearning_rte: 1e-5\n",
    "conf/experiment/open.yaml": "# @package _global_\nlr: [1\n",
    "conf/experiment/twice.yaml": "# @package _global_\nlr: 1e-5\nlr: 2e-5\n",
    "conf/experiment/numbers.yaml": "# @package _global_\nrank_pattern: {1: 8}\n",
    "same/experiment/mine.yaml": "# @package _global_\n",
    "conf/experiment/python.yaml": "# @package _global_\nbackend: {python: /opt/python}\n",
    "conf/experiment/word.yaml": "# @package _global_\ntrust: true\n",
}
GOOD = ["model_path=model", "data_path=rows.jsonl"]
# Commands, several faults in each: all are reported at once.
COMMANDS = [
    [
        "plan",
        *GOOD,
        "learning_rte=1e-5",
        "lora_r=8",
        "num_epochs=0",
        "lr=much",
        "data.too_lng=drop",
        "model.dtype=int4",
    ],
    ["plan", "algorithm=ppo", "backend=deepspeed"],
    ["plan", "algorithm=dpo", "backend=unsloth"],
    ["plan", *GOOD, "backend.requires=['no-such-package>=1']"],
    ["plan", *GOOD, "backend=mini-trainer", "max_grad_norm=0.5"],
    ["plan", *GOOD, "learning_rate=1e-5", "lr=2e-5"],
    ["plan", *GOOD, "lr=1e-5,2e-5"],
    ["plan", *GOOD, "--lr", "1e-5"],
    ["plan", *GOOD, "recipe.packing=true", "save_total_limit=2"],
    ["plan", *GOOD, "eval_steps=5", "lr_scheduler=cosin"],
    ["plan"],
    ["plan", "model_path=modle", "data_path=nowhere.jsonl", "output_dir=run"],
    ["plan", "model_path=nothing", "data_path=empty.jsonl", "output_dir=full"],
    ["plan", "model_path=bare", "data_path=rows.jsonl"],
    ["plan", "model_path=model", "data_path=torn.jsonl", "eval_data_path=strange.jsonl"],
    ["plan", "model_path=model", "data_path=pairs.jsonl"],
    ["plan", "model_path=model", "data_path=rows.txt", "eval_fraction=0.1", "eval_data_path=rows.jsonl"],
    ["plan", *GOOD, "backend.python=/no/such/python"],
    ["plan", *GOOD, "nproc_per_node=gpu"],
    ["plan", *GOOD, "resume=must", "output_dir=new"],
    ["plan", *GOOD, "--config-dir=conf", "experiment=mine"],
    ["plan", *GOOD, "--config-dir=conf", "experiment=open"],
    ["plan", *GOOD, "--config-dir=conf", "experiment=twice"],
    ["plan", *GOOD, "--config-dir=conf", "experiment=numbers"],
    ["plan", *GOOD, "--config-dir=conf", "--config-dir=same"],
    ["plan", *GOOD, "--config-dir=konf"],
    ["plan", *GOOD, "backend._target_=other.package.Backend"],
    ["plan", *GOOD, "backend._target_=training_hub.cli.os.system"],
    ["plan", *GOOD, "--config-dir=conf", "experiment=python"],
    ["plan", *GOOD, "--config-dir=conf", "experiment=word"],
    ["plan", *GOOD, "backend.worker=training_hub.cli.main"],
    ["plan", *GOOD, "+callbacks.mine._target_=training_hub.cli.main"],
    ["plan", *GOOD, "backend=mini-trainer", "backend.needs_gpu=false", "recipe._target_=shutil"],
    ["plan", *GOOD, "recipe._target_=transformers.TrainingArguments"],
    ["trian", *GOOD],
    [
        "plan",
        *GOOD,
        f"max_steps={10**23}",
        "data.num_proc=nan",
        "recipe.optim_target_modules=5",
        "launcher.nproc_per_node=[1]",
    ],
    ["plan", *GOOD, "recipe.tf32=true"],
    ["plan", *GOOD, "recipe.optim=lomo", "recipe.optim_args=foo", "lr_scheduler_kwargs={num_cycle:2}"],
    ["plan", *GOOD, "recipe=sft"],
    ["plan", *GOOD, "~recipe.nonsense"],
    ["plan", "model_path=small", "data_path=ids.jsonl"],
    ["plan", "model_path=model", "data_path=both.jsonl"],
    ["plan", *GOOD, "data.format=alpacca"],
    ["plan", *GOOD, "format=alpaca"],
    ["plan", "model_path=model", "data_path=/dev/null", "eval_data_path=nul.csv"],
    ["plan", "model_path=model", "data_path=half.jsonl", "output_dir=" + "x" * 256],
    ["plan", "model_path=model", "data_path=saved"],
    ["plan", *GOOD, "data.chat_template=latin.jinja"],
    ["plan", "data_path=rows.jsonl", "model_path=null"],
]
SEVERAL = ["-m", *GOOD, "seed=1,2"]
# Commands about machines, sweeps, and runs that are there: `stopped` has no checkpoint, `swept` is a sweep.
COMMANDS_AFTERWARDS = [
    ["plan", *GOOD, "launcher=slurm"],
    ["plan", *GOOD, "nnodes=2"],
    ["plan", *GOOD, "nnodes=2", "master_addr=a", "rdzv_endpoint=b:1"],
    ["plan", *GOOD, "rdzv_id=7", "master_port=1"],
    [*SEVERAL, "jobs=1,2"],
    [*SEVERAL, "jobs=2", "array_parallelism=3"],
    [*SEVERAL, "overwrite=true", "launcher=local,slurm", "resume=run"],
    [*SEVERAL, "lr=interval(1e-5,1e-3)", "num_epochs=range(1,1)"],
    [*SEVERAL, "lr=1e-5,"],
    [*SEVERAL, "output_dir=new", "resume=must"],
    [*SEVERAL, "output_dir=full"],
    [*SEVERAL, "output_dir=rows.jsonl"],
    [*SEVERAL, "output_dir=swept"],
    [*SEVERAL, "output_dir=swept", "resume=auto"],
    [*SEVERAL, "output_dir=held"],
    ["validate", *SEVERAL],
    [*GOOD, "output_dir=held", "resume=auto"],
    [*GOOD, "output_dir=queued", "resume=auto"],
    ["plan", *GOOD, "output_dir=stopped", "resume=auto", "lr=2e-5"],
    ["plan", "model_path=other", GOOD[1], "output_dir=stopped", "resume=auto"],
    ["plan", *GOOD, "output_dir=stopped", "resume=auto", "algorithm=lora_sft"],
    ["plan", GOOD[0], "data_path=more.jsonl", "output_dir=stopped", "resume=auto"],
    ["plan", *GOOD, "output_dir=stopped", "resume=auto", "eval_data_path=more.jsonl"],
    ["plan", *GOOD, "output_dir=read", "resume=auto"],
    ["plan", GOOD[0], "data_path=more.jsonl", "output_dir=read", "resume=auto"],
    ["resume", "damaged"],
    ["resume", "foreign"],
    ["plan", *GOOD, "output_dir=stopped", "resume=must"],
    ["plan", *GOOD, "output_dir=stopped", "resume=auto", "overwrite=true"],
    ["plan", *GOOD, "resume=nowhere"],
    ["plan", *GOOD, "resume=model"],
    ["plan", *GOOD, "resume=stopped"],
    ["resume"],
    ["resume", "nothing"],
    ["resume", "stopped", "overwrite=true"],
    ["status", "nothing"],
    ["cancel"],
    ["cancel", "stopped"],
    ["logs", "stopped", "-n", "few"],
    ["logs", "stopped", "--all"],
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder on a machine without a GPU."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "latin.jinja").write_bytes(b"{{ 'gr\xfc\xdfe' }}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hardware, "gpus", list)
    return tmp_path


def test_the_messages_of_wrong_commands(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for words in COMMANDS:
        assert main(words) == 2, words
        said += [f"$ {' '.join(words)}", *capsys.readouterr().err.splitlines()]
    assert_golden("errors_before.txt", "\n".join(said), {str(here): "HERE"})


def test_the_messages_about_machines_sweeps_and_runs_that_are_there(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stopped", "held", "queued", "read", "damaged", "foreign"):
        leave(name)
    (RunDir("foreign").path / ".seal").unlink()
    RunDir("queued").write_job("7", "training_hub.launchers.slurm.launcher.SlurmLauncher")
    RunDir("queued").result.unlink()
    RunDir("read").update_manifest(data={"train": {"path": "rows.jsonl", "fingerprint": "0" * 64}, "eval": None})
    RunDir("damaged").manifest.write_text('{"status": "comp')
    (here / "swept").mkdir()
    SweepDir("swept").write([Job("0" * 64, "seed=9-00000000", ("seed=9",), {"seed": "9"})])
    monkeypatch.setenv("PATH", str(here))  # no sbatch there
    said = []
    with RunDir("held").held():
        for words in COMMANDS_AFTERWARDS:
            assert main(words) == 2, words
            said += [f"$ {' '.join(words)}", *capsys.readouterr().err.splitlines()]
    assert_golden("errors_afterwards.txt", "\n".join(said), {str(here): "HERE"})
    assert not (here / "new").exists()


def leave(name: str) -> None:
    """A run that was stopped before its first checkpoint."""
    planned, run = train.plan(train.composed([*GOOD, f"output_dir={name}"])), RunDir(name)
    manifest = train.provenance.manifest(["python"], planned.config, planned.composition.choices)
    run.create(planned.config, list(planned.composition.overrides), manifest)
    run.write_result(TrainResult("interrupted", str(run.path)))


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "trl")
def test_the_messages_of_runs_that_fail(
    make_run: Callable[..., Any],  # noqa: F811
    tiny: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    from training_hub.workers.trl import train

    faulty = {
        "a rate that is far too high": {"recipe": {"learning_rate": 1e30}},
        "rows of which nothing fits": {"data": {"max_seq_len": 2, "too_long": "drop"}},
        "rows that are too long": {"data": {"max_seq_len": 8, "too_long": "error"}},
        "a model that is none": {"model": {"path": str(tmp_path)}},
        "a last step that is far too large": {"recipe": {"learning_rate": 1e39, "max_steps": 1}},
        "a last step that ruins the model": {"recipe": {"learning_rate": 10.0, "max_steps": 1}},
        "a tensor that is missing": {"model": {"path": with_tensors(tiny, tmp_path / "short", lambda _: None)}},
        "a weight that is none": {"model": {"path": with_tensors(tiny, tmp_path / "nan", lambda value: value * nan)}},
    }
    said = []
    for number, (name, changes) in enumerate(faulty.items()):
        run = make_run(f"run-{number}", **changes)
        with pytest.raises(HubError) as failed:
            train(run, run.read_config())
        said += [f"$ {name}", *str(failed.value).splitlines()]
    assert_golden("errors_during.txt", "\n".join(said), {str(tmp_path): "HERE"})


def with_tensors(model: Path, folder: Path, change: Callable[[Any], Any]) -> str:
    """A copy of a model with its first tensor changed, None: left out."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    tensors = load_file(model / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    changed = tensors | {name: change(tensors[name])}
    save_file({name: value for name, value in changed.items() if value is not None}, folder / "model.safetensors")
    return str(folder)


def patterns() -> list[str]:
    """The messages of the page: the code in the first cell of each row of its tables, `…` for whatever stands there."""
    blocks = MarkdownIt().enable("table").parse(PAGE.read_text())
    cells = [blocks[number + 2] for number, each in enumerate(blocks) if each.type == "tr_open"]
    return [child.content for cell in cells for child in cell.children or () if child.type == "code_inline"]


def messages() -> list[str]:
    """What the golden files hold, without the commands."""
    names = ("before", "during", "afterwards", "slurm")  # the last one: tests/slurm/test_bad_input.py
    lines = [line for name in names for line in (GOLDEN / f"errors_{name}.txt").read_text().splitlines()]
    return [line for line in lines if not line.startswith("$ ")]


def fits(pattern: str, message: str) -> bool:
    return bool(re.fullmatch(".+".join(map(re.escape, pattern.split("…"))), message))


def test_every_message_has_a_line_on_the_page() -> None:
    assert len(messages()) >= 35
    assert [each for each in messages() if not any(fits(pattern, each) for pattern in patterns())] == []


def test_every_line_of_the_page_is_a_message() -> None:
    assert [each for each in patterns() if not any(fits(each, message) for message in messages())] == []
