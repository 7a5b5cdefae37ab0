"""Whole runs of the libraries on a CPU, each made once, through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workers.conftest import conversation, tiny  # noqa: F401  a fixture
from training_hub.installed import trust
from training_hub.run import RunDir

HERE = Path(__file__).parent
UNSLOTH = Path(sys.prefix) / "unsloth"  # `make install` puts unsloth.txt there
ROWS = 13
Runs = Callable[[str], RunDir]

# One step has all rows, so that the order of the rows, which is each library's own, makes no difference.
COMMON = [
    f"effective_batch_size={ROWS}", "num_epochs=3", "max_seq_len=64", "max_tokens_per_gpu=128",
    "model_path=model", "data_path=rows.jsonl", "data.cache_dir=cache", "backend.needs_gpu=false",
    "lr=3e-3", "lr_scheduler=linear", "warmup_steps=1", "beta1=0.8", "beta2=0.9", "eps=1e-6", "seed=7",
]  # fmt: skip
FLOAT32 = ["model.dtype=float32", "recipe.bf16=false", "recipe.use_cpu=true"]
EVALUATED = ["eval_data_path=eval.jsonl", "eval_steps=1", "checkpoint_at_epoch=true"]
DOCUMENTS = ["is_pretraining=true", "block_size=32", "document_column_name=text", "data_path=documents.jsonl"]
SPLIT = ["algorithm=osft", "unfreeze_rank_ratio=0.25"]
TWO = ["nproc_per_node=2"]
RUNS = {
    "trl": ["backend=trl", *FLOAT32, *EVALUATED],
    "trl, documents": ["backend=trl", *FLOAT32, *DOCUMENTS],
    "mini-trainer": ["backend=mini-trainer", *EVALUATED],
    "mini-trainer, two": ["backend=mini-trainer", *TWO],
    "osft": SPLIT,
    "osft, two": [*SPLIT, *TWO],
    "instructlab": ["backend=instructlab-training", "logger=[jsonl,tensorboard]", "checkpoint_at_epoch=true"],
    "instructlab, on": [
        "backend=instructlab-training",
        "logger=[jsonl,tensorboard]",
        "checkpoint_at_epoch=true",
        "resume=instructlab/checkpoints/checkpoint-1",
    ],
    "instructlab, two": ["backend=instructlab-training", *TWO],
    "instructlab, documents": ["backend=instructlab-training", "weight_decay=0.0", *DOCUMENTS],
}


def environment(*further: str) -> dict[str, str]:
    """The environment of a run whose scripts find a CPU where they ask for CUDA."""
    path = [str(HERE / folder) for folder in ("cpu", *further)] + [str(HERE.parents[1])]
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("PET_", "MASTER_"))}
    return {**alone, "PYTHONPATH": os.pathsep.join(path), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def place(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A folder with a random Llama in float32, its two ends not tied, and rows."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

    folder = tmp_path_factory.mktemp("backends")
    config = LlamaConfig.from_pretrained(tiny)
    config.tie_word_embeddings = False
    set_seed(0)
    LlamaForCausalLM(config).float().save_pretrained(folder / "model")
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder / "model")
    write(folder / "rows.jsonl", map(conversation, range(ROWS)))
    write(folder / "eval.jsonl", map(conversation, range(100, 105)))
    texts = (" ".join(message["content"] for message in conversation(number)["messages"]) for number in range(ROWS))
    write(folder / "documents.jsonl", ({"text": text} for text in texts))
    return folder


def write(path: Path, rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def runs(place: Path) -> Runs:
    """A run of RUNS by its name; it is made when it is first asked for."""
    made: dict[str, RunDir] = {}

    def run(name: str) -> RunDir:
        if name not in made:
            folder = name.replace(", ", "_")
            words = [sys.executable, "-m", "training_hub", *COMMON, *RUNS[name], f"output_dir={folder}"]
            words = list({word.partition("=")[0]: word for word in words}.values())  # the later value of a parameter
            done = subprocess.run(
                words, cwd=place, env=environment("flash"), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            made[name] = RunDir(place / folder)
        return made[name]

    return run


@pytest.fixture(scope="session")
def unsloth_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with unsloth, and with what this one has where unsloth wants nothing else."""
    folder = tmp_path_factory.mktemp("unsloth_environment")
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "beside.pth").write_text("\n".join([str(UNSLOTH), *others]))
    trust.allow(pythons=[str(folder / "bin" / "python")])
    return folder / "bin" / "python"
