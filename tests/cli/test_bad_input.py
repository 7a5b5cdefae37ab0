"""Wrong input: one line a fault, exit status 2, nothing heavy imported, nothing written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

SWEEP = "several values are a sweep; add -m, or quote the value if it is one text"
NO_SETTING = "not a setting; write NAME=VALUE, and quote a value with special characters: 'NAME=\"VALUE\"'"
FORMATS = "auto, alpaca, document, messages, preference, prompt, prompt_completion, tokens"
HERE = "{folder}"

# What is typed beside a good model_path and data_path, and every line of the answer.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "unknown key": (["lrr=1e-5"], ["lrr=1e-5: no such parameter; did you mean lr?"]),
    "unknown key, another name": (
        ["lerning_rate=1"],
        ["lerning_rate=1: no such parameter; did you mean learning_rate?"],
    ),
    "unknown key with a plus": (["+unknown=1"], ["unknown=1: no such parameter; see --help for those that exist"]),
    "unknown key with two": (["++sed=1"], ["sed=1: no such parameter; did you mean seed?"]),
    "unknown key in a node": (["model.dtpye=auto"], ["model.dtpye=auto: no such parameter; did you mean model.dtype?"]),
    "unknown key deep down": (
        ["data.a.b.c=1"],
        ["data.a={'b': {'c': 1}}: no such parameter; see --help for those that exist"],
    ),
    "unknown argument of the library": (
        ["recipe.learning_rte=1"],
        ["recipe.learning_rte=1: no such parameter; did you mean recipe.learning_rate?"],
    ),
    "misspelled group": (["algoritm=sft"], ["algoritm=sft: no such parameter; did you mean algorithm?"]),
    "wrong type": (["num_epochs=two"], ["num_epochs=two: must be a number"]),
    "half a step": (["max_steps=1.5"], ["max_steps=1.5: must be a whole number"]),
    "a number for a switch": (["packing=1"], ["packing=1: must be true or false"]),
    "a text for a list": (["sample_prompts=hello"], ["sample_prompts=hello: must be a list, e.g. [a,b]"]),
    "no value": (["lr="], ["lr=: must be a number"]),
    "below its bound": (["lr=-1"], ["lr=-1: must be greater than 0"]),
    "at its bound": (["beta2=1.0"], ["beta2=1.0: must be less than 1"]),
    "not one of the choices": (["data.format=chat"], [f"data.format=chat: no such format; choose from {FORMATS}"]),
    "wrong type for the library": (
        ["recipe.torch_compile=2"],
        ["recipe.torch_compile=2: the library wants bool"],
    ),
    "an argument that the worker sets": (
        ["recipe.packing=true"],
        ["recipe.packing=true: the project's worker sets this; use packing"],
    ),
    "unknown algorithm": (["algorithm=sfft"], ["algorithm=sfft: no such option; did you mean sft?"]),
    "unknown backend": (["backend=jax"], ["backend=jax: no such option; choose from {backends}"]),
    "unknown logger": (["logger=[jsonl,stone]"], ["logger=stone: no such option; choose from {loggers}"]),
    "unknown experiment": (
        ["experiment=quikstart"],
        ["experiment=quikstart: no such option; did you mean quickstart?"],
    ),
    "no algorithm": (["algorithm=null"], ["algorithm=null: no such option; choose from {algorithms}"]),
    "a deleted parameter": (["~lr"], ["~lr: a parameter cannot be deleted; set it to null or to its default"]),
    "bad grammar": (
        ["lr=[1"],
        [f"lr=[1: {NO_SETTING}"],
    ),
    "a sweep without -m": (["lr=1e-5,1e-6"], [f"lr=1e-5,1e-6: {SWEEP}"]),
    "two names for one parameter": (
        ["lr=1e-5", "learning_rate=1e-6"],
        ["learning_rate=1e-6: the same parameter is given as lr=1e-5; keep one of the two"],
    ),
    "unknown verb": (["trian"], ["trian: no such verb; did you mean train?"]),
    "unknown flag": (["--hlep"], ["--hlep: no such flag; did you mean --help?"]),
    "another config": (
        ["--config-name=train"],
        ["--config-name=train: no such flag; its config is its own; use experiment=NAME with --config-dir DIR"],
    ),
    "another conf folder": (
        ["--config-path=/x"],
        ["--config-path=/x: no such flag; its config is its own; use experiment=NAME with --config-dir DIR"],
    ),
    "a job again": (
        ["--experimental-rerun=x"],
        ["--experimental-rerun=x: no such flag; use resume DIR; what was typed is in DIR/overrides.yaml"],
    ),
    "a setting as a flag": (
        ["--learning-rate=1"],
        ["--learning-rate=1: no such flag; a setting has no dashes: learning_rate=1"],
    ),
    "a setting as a flag, its value apart": (["--lr", "1"], ["--lr: no such flag; see --help"]),
    "a value without a name": (["=1"], [f"=1: {NO_SETTING}"]),
    "nothing to delete": (["~=1"], [f"~=1: {NO_SETTING}"]),
    "a package of nothing": (["--package=model"], ["--package: has no meaning alone; add --cfg job, or drop it"]),
    "two flags that show": (["--info=all", "--cfg=job"], ["--info: --cfg is given as well; keep one of the two"]),
    "a sweep of one that shows": (["-m", "--cfg=job"], ["-m: --cfg is given as well; keep one of the two"]),
    "a package that is not there": (
        ["--cfg=job", "--package=modl"],
        ["--package=modl: no such node; did you mean model?"],
    ),
    "no run at a time": (["-m", "lr=1e-5,2e-5", "jobs=0"], ["jobs=0: must be greater than 0"]),
    "runs at a time of one run": (["jobs=2"], ["jobs=2: sft has no such parameter; it belongs to sweeps: add -m"]),
    "a sweep over an unknown key": (
        ["-m", "lrr=1e-5,2e-5"],
        ["lrr=1e-05,2e-05: no such parameter; did you mean lr?"],
    ),
    "a sweep into a folder with files": (
        ["-m", "lr=1e-5,2e-5", "output_dir=model"],
        ["output_dir=model: not empty, and not a sweep directory; choose another, new or empty"],
    ),
    "a sweep that checks the data": (["validate", "-m"], ["validate: not for sweeps; drop -m"]),
    "no GPU for nproc_per_node": (
        ["nproc_per_node=gpu"],
        ["nproc_per_node=gpu: no CUDA GPU here; give a number, or auto"],
    ),
    "two machines without a rendezvous": (
        ["nnodes=2"],
        ["nnodes=2: more than one machine needs a rendezvous; add master_addr=HOST or rdzv_endpoint=HOST:PORT"],
    ),
    "two rhythms of saving": (
        ["save_steps=5", "checkpoint_at_epoch=true"],
        ["save_steps=5: checkpoint_at_epoch=true is set as well; keep one of the two"],
    ),
    "no such model folder": (
        ["model_path=./modle"],
        ["model_path=./modle: no such folder, and not an id on the hub; check the path, or give ORG/NAME"],
    ),
    "a folder without a model": (
        ["model_path=."],
        ["model_path=.: no config.json in this folder; give a folder in Hugging Face format"],
    ),
    "a file for a model": (
        ["model_path=rows.jsonl"],
        ["model_path=rows.jsonl: a file, not a folder; give a folder in Hugging Face format or a hub id"],
    ),
    "no such data file": (["data_path=nix.jsonl"], ["data_path=nix.jsonl: no such file or folder"]),
    "no such held-out file": (["eval_data_path=nix.jsonl"], ["eval_data_path=nix.jsonl: no such file or folder"]),
    "an output folder below a file": (
        ["output_dir=rows.jsonl/run"],
        ["output_dir=rows.jsonl/run: {folder}/rows.jsonl is a file; choose another"],
    ),
    "a cache below a file": (
        ["data.cache_dir=rows.jsonl/cache"],
        ["data.cache_dir=rows.jsonl/cache: {folder}/rows.jsonl is a file; give another folder"],
    ),
    "an empty output folder": (["output_dir="], ["output_dir=: is empty; give a folder, or drop it"]),
    "an output folder with files of the user's": (
        ["output_dir=model", "overwrite=true"],
        ["output_dir=model: not empty, and not a run directory; choose another, which is new or empty"],
    ),
    "the working folder": (
        ["output_dir=."],
        ["output_dir=.: not empty, and not a run directory; choose another, which is new or empty"],
    ),
    "no such interpreter": (
        ["backend.python=/nix/python"],
        ["backend.python=/nix/python: no such interpreter; give the path of a python executable"],
    ),
    "a missing library": (
        ["backend.requires=['no-such-library>=2']"],
        [
            "backend=trl: not installed: no-such-library>=2; "
            "python -m training_hub env create trl, or pip install 'no-such-library>=2'"
        ],
    ),
    "code from a config": (
        ["backend._target_=os.system"],
        ["_target_=os.system: code of os is not run from a config; set TRAINING_HUB_TARGETS=os if you trust it"],
    ),
}


def lines(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_gets_its_line(name: str, cli: Cli, good: list[str], folder: Path) -> None:
    typed, expected = CASES[name]
    kept = [word for word in good if word.split("=")[0] not in {each.split("=")[0] for each in typed}]
    words = [*typed[:1], *kept, *typed[1:]] if "=" not in typed[0] else [*kept, *typed]
    before = sorted(folder.rglob("*"))
    done = cli(*words)
    assert lines(done.stderr) == [_fill(text, folder) for text in expected]
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(folder.rglob("*")) == before


def _fill(text: str, folder: Path) -> str:
    """Put the working folder and the names of the options that ship into an expected answer."""
    conf = Path(__file__).parents[2] / "conf"
    for group in ("algorithm", "backend", "logger"):
        names = ", ".join(sorted(file.stem for file in (conf / group).glob("*.yaml")))
        text = text.replace(f"{{{group}s}}", names)
    return text.replace("{folder}", str(folder))


@pytest.mark.parametrize("verb", ["train", "plan", "explain", "validate", "doctor"])
def test_a_verb_and_a_flag_that_only_shows_do_not_go_together(verb: str, cli: Cli, good: list[str]) -> None:
    done = cli(verb, *good, "--cfg=job")
    expected = f"{verb}: --cfg shows something and does nothing else; drop one of the two"
    assert (done.returncode, done.stdout, lines(done.stderr)) == (2, "", [expected])


def test_hydras_completion_is_refused_with_the_way_to_this_programs_own(cli: Cli) -> None:
    done = cli("-sc", "install=bash")
    expected = '-sc: no such flag; use this program\'s own: eval "$(training-hub completion bash)"'
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


def test_debug_says_what_is_wrong_once(cli: Cli, good: list[str]) -> None:
    done = cli("plan", *good, "lr=-1", "--debug")
    assert done.stderr.startswith("Traceback")
    assert done.stderr.count("lr=-1: must be greater than 0") == 1


def test_all_missing_parameters_are_named_at_once(cli: Cli) -> None:
    done = cli("train")
    expected = "model_path, data_path: required parameters are missing; add model_path=... data_path=..."
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


def test_several_faults_are_reported_together(cli: Cli) -> None:
    done = cli(
        "lr=-1", "lrr=2", "seed=a", "model.dtype=int7", "model_path=./nix", "data_path=nix.jsonl", "packing=no way"
    )
    assert done.returncode == 2
    assert sorted(text.split(":")[0] for text in lines(done.stderr)) == [
        "data_path=nix.jsonl", "lr=-1", "lrr=2", "model.dtype=int7", "model_path=./nix", "packing=no way", "seed=a",
    ]  # fmt: skip


def test_a_parameter_that_nothing_uses_is_refused(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "conf/backend/deaf.yaml", deaf_backend())
    write(folder, "conf/recipe/sft/deaf.yaml", "_target_: trl.SFTConfig\n")
    done = cli(*good, "backend=deaf", "lr=1e-4", "--config-dir", "conf")
    expected = "lr=1e-4: algorithm=sft on backend=deaf does not use it; drop it"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


def test_a_pair_that_does_not_exist_lists_those_that_do(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "conf/backend/deaf.yaml", deaf_backend())
    done = cli(*good, "backend=deaf", "--config-dir", "conf")
    assert done.returncode == 2
    assert lines(done.stderr)[0].startswith("backend=deaf: algorithm=sft does not run on it; use ")
    assert "trl" in lines(done.stderr)[0]


def test_a_backend_that_needs_a_gpu_names_one_that_works_here(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "conf/backend/fast.yaml", deaf_backend(needs_gpu="true"))
    write(folder, "conf/recipe/sft/fast.yaml", "_target_: trl.SFTConfig\n")
    done = cli(*good, "backend=fast", "--config-dir", "conf")
    assert (done.returncode, lines(done.stderr)) == (
        2, ["backend=fast: needs a CUDA GPU; none was found here; on this machine use backend=trl"],
    )  # fmt: skip


def test_a_library_missing_in_another_environment_is_named(cli: Cli, good: list[str], folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "bare"], check=True)
    done = cli(*good, "backend.python=bare/bin/python")
    assert done.returncode == 2
    assert len(lines(done.stderr)) == 1
    assert done.stderr.startswith("backend=trl: not installed: torch>=2.6, transformers>=5, ")
    assert "; uv pip install --python bare/bin/python 'torch>=2.6' 'transformers>=5' " in done.stderr


def test_a_misspelled_key_in_the_users_file_is_named_with_its_line(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "conf/experiment/mine.yaml", "# @package _global_\nlr: 1e-4\nnum_epoch: 3\nmodel:\n  dtpye: auto\n")
    done = cli(*good, "experiment=mine", "--config-dir", "conf")
    assert (done.returncode, lines(done.stderr)) == (2, [
        "num_epoch=3: no such parameter (experiment/mine.yaml, line 3); did you mean num_epochs?",
        "model.dtpye=auto: no such parameter (experiment/mine.yaml, line 5); did you mean model.dtype?",
    ])  # fmt: skip


def test_another_name_in_the_users_file_is_named_with_the_right_one(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "conf/experiment/mine.yaml", "# @package _global_\nlearning_rate: 1e-4\n")
    done = cli(*good, "experiment=mine", "--config-dir", "conf")
    expected = "learning_rate=0.0001: no such parameter (experiment/mine.yaml, line 2); did you mean lr?"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


@pytest.mark.parametrize("head", ["", "# mine\n# @package _global_\n"])
def test_an_experiment_that_does_not_say_where_it_belongs_is_refused(
    head: str, cli: Cli, good: list[str], folder: Path
) -> None:
    write(folder, "conf/experiment/mine.yaml", f"{head}lr: 1e-4\n")
    done = cli(*good, "experiment=mine", "--config-dir", "conf")
    expected = "experiment/mine.yaml: its settings have no effect; make `# @package _global_` its first line"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


ROW = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
FILES = {
    "empty": ("", "the file is empty"),
    "not JSON": (f"{ROW}\n{{oops\n{ROW}\n", "line 2: not valid JSON"),
    "of another shape": (f"{ROW}\n" + '{"text": "hello"}\n', 'line 2: "messages" is missing'),
    "a wrong role": (ROW.replace('"user"', '"usr"') + "\n", "line 1: "),
    "no assistant": ('{"messages": [{"role": "user", "content": "a"}]}\n', "line 1: "),
    "no conversation": ('{"messages": []}\n', "line 1: "),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_data_file_is_named_with_its_lines(name: str, cli: Cli, folder: Path) -> None:
    content, expected = FILES[name]
    write(folder, "bad.jsonl", content)
    done = cli("model_path=model", "data_path=bad.jsonl")
    assert done.returncode == 2
    assert len(lines(done.stderr)) == 1
    assert lines(done.stderr)[0].startswith("data_path=bad.jsonl: ")
    assert expected in done.stderr


def test_bad_lines_are_counted(cli: Cli, folder: Path) -> None:
    write(folder, "bad.jsonl", f"{ROW}\nx\n" * 40)
    done = cli("model_path=model", "data_path=bad.jsonl")
    assert "(40 of 80" in done.stderr, done.stderr


def test_a_folder_that_holds_a_run_is_not_written_again(cli: Cli, good: list[str], folder: Path) -> None:
    write(folder, "out/manifest.json", '{"status": "completed"}')
    write(folder, "out/overrides.yaml", "[]")
    done = cli(*good, "output_dir=out")
    way = "resume it with resume=auto, start over with overwrite=true, or choose another"
    expected = f"output_dir=out: already holds a run; {way}"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


@pytest.fixture
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of 64 KiB of its own, which only root can make."""
    place = folder / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_too_small_for_the_checkpoint_is_refused(cli: Cli, good: list[str], folder: Path, mounted: Path) -> None:
    header = b'{"w":{"dtype":"F32","shape":[5000000],"data_offsets":[0,20000000]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(20_000_000)
    (folder / "model" / "model.safetensors").write_bytes(weights)
    done = cli(*good, f"output_dir={mounted}/run")
    assert done.returncode == 2
    assert lines(done.stderr) == [
        f"output_dir={mounted}/run: 0.00 GB are free there, the checkpoint alone needs 0.02 GB; "
        "free some space or choose another"
    ]


def test_a_folder_that_cannot_be_written_is_refused(cli: Cli, good: list[str], mounted: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    done = cli(*good, f"output_dir={mounted}/run")
    expected = f"output_dir={mounted}/run: {mounted} cannot be written; choose another"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


def test_a_cache_that_cannot_be_written_is_named_before_the_run(
    cli: Cli, good: list[str], folder: Path, mounted: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    done = cli(*good, XDG_CACHE_HOME=str(mounted))
    expected = f"data.cache_dir={mounted}/training_hub/data: {mounted} cannot be written; give another folder"
    assert (done.returncode, lines(done.stderr)) == (2, [expected])


def test_a_sweep_with_a_fault_starts_no_job(cli: Cli, good: list[str], folder: Path) -> None:
    done = cli("-m", *good, "lr=1e-5,-1", "sed=1,2")
    assert done.returncode == 2
    assert sorted(lines(done.stderr)) == [
        "lr=-1: must be greater than 0",
        "sed=1,2: no such parameter; did you mean seed?",
    ]
    assert not (folder / "outputs").exists()


def test_debug_shows_the_traceback(cli: Cli) -> None:
    assert "Traceback" in cli("lrr=1", "--debug").stderr
    assert "Traceback" in cli("lrr=1", TRAINING_HUB_DEBUG="1").stderr


def deaf_backend(needs_gpu: str = "false") -> str:
    """A backend's file whose recipe hears nothing."""
    return (
        "_target_: training_hub.backends.trl.TRLBackend\nworker: training_hub.workers.trl.train\n"
        "trainer: training_hub.trainers.sft.SFT\npython: null\n"
        f"requires: []\nneeds_gpu: {needs_gpu}\npacking: true\nmax_tokens_per_gpu: 100\neffective_batch_size: 8\n"
        "eval_at_start: true\nsave_final_checkpoint: true\nsave_dtype: auto\nsample_prompts: []\n"
        "sample_max_new_tokens: 8\n"
    )


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
