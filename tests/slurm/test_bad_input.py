"""What a real SLURM would refuse is refused before anything is written, a line each; and what `plan` shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden import assert_golden
from tests.test_docs import ROOT, commands, fences
from tests.typed import beside
from tests.verbs.conftest import folder, here  # noqa: F401  fixtures
from training_hub import cli, train
from training_hub.errors import ConfigError
from training_hub.launchers.slurm import check
from training_hub.verbs.doctor.checkup import doctor
from training_hub.verbs.plan.text import plan_text

GUIDE = ROOT / "docs" / "guides" / "slurm.md"
GIVEN = ["model_path=model", "data_path=rows.jsonl", "output_dir=run", "launcher=slurm"]

pytestmark = pytest.mark.usefixtures("slurm", "here")


def faults(*typed: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        train.plan(train.composed(beside(GIVEN, typed)))
    assert not Path("run").exists()
    return error.value.faults


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["partition=mian"], "partition=mian: no such partition; did you mean main?"),
        (["partition=gpu"], "partition=gpu: no such partition; choose from main, high"),
        (["gpus_per_node=9"], "gpus_per_node=9: partition main has 8 GPUs on a node; at most 8"),
        (["nodes=5"], "nodes=5: partition main has 4 nodes; at most 4"),
        (["cpus_per_node=5", "partition=high"], "cpus_per_node=5: partition high has 4 cores on a node; at most 4"),
        (["memory_gb=17"], "memory_gb=17: partition main has 16 GB on a node; at most 16"),
        (["launcher.sbatch.qoss=x"], "launcher.sbatch.qoss=x: sbatch has no such option; did you mean qos?"),
        (["launcher.sbatch.time=5"], "launcher.sbatch.time=5: the launcher sets this option; use timeout_min"),
        (["launcher.sbatch.output=a"], "launcher.sbatch.output=a: the launcher sets this option; drop it"),
        (
            ["launcher.sbatch.nodelist=node9"],
            "launcher=slurm: sbatch refuses: allocation failure: Invalid node name specified; see launcher.sbatch",
        ),
        (["nodes=0"], "nodes=0: must be greater than 0"),
        (["max_requeues=-1"], "max_requeues=-1: must be greater than or equal to 0"),
        (
            ["timeout_min=2"],
            "timeout_min=2: the run is asked to stop 120 seconds before that; give more, or a smaller "
            "launcher.stop_before_s",
        ),
        (["launcher.srun=['--nise=3']"], "launcher.srun=--nise=3: srun has no such option; did you mean nice?"),
        (["gpus_per_node=-1"], "gpus_per_node=-1: must be greater than or equal to 0"),
        (["timeout_min=0"], "timeout_min=0: must be greater than 0"),
        (["timeout_min=1h"], "timeout_min=1h: must be a whole number"),
        (["gpus_per_node=4", "nproc_per_node=5"], "nproc_per_node=5: gpus_per_node=4; at most 4"),
        (["nnodes=2"], "nnodes=2: sft has no such parameter; it belongs to launcher=local"),
        (["output_dir='a\\b'"], "output_dir='a\\\\b': sbatch takes no '\\\\' in a path; choose another"),
    ],
)
def test_a_line_says_what_is_wrong(typed: list[str], expected: str) -> None:
    assert faults(*typed) == (expected,)


@pytest.mark.parametrize("key", ["launcher.job_name", "account", "partition", "launcher.sbatch.comment"])
def test_a_value_does_not_begin_a_line_of_the_script(key: str) -> None:
    rule = "a job's script takes one line for it; drop the rest"
    assert f"{key}='a\\ntouch canary': {rule}" in faults(f'{key}="a\ntouch canary"')


def test_a_value_in_a_list_does_not_begin_a_line_of_the_script_either() -> None:
    rule = "a job's script takes one line for it; drop the rest"
    key = "launcher.sbatch.comment"
    assert faults(f'{key}=[a,"b\ntouch canary"]') == (f"{key}=['a', 'b\\ntouch canary']: {rule}",)


def test_the_messages_on_the_page_about_troubles(
    here: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands = [
        ["partition=mian"],
        ["partition=gpu", "launcher.sbatch.qoss=x", "launcher.sbatch.time=5", "launcher.srun=['--nise=3']"],
        ["gpus_per_node=9", "nodes=5", "timeout_min=2"],
        ["gpus_per_node=4", "nproc_per_node=5"],
        ["launcher.sbatch.nodelist=node9"],
        ["backend=mini-trainer"],
        ["launcher=local", "partition=main"],
        ['launcher.job_name="a\nb"', 'launcher.sbatch.comment=[a,"b\nc"]'],
    ]
    said = []
    for words in commands:
        assert cli.main(["plan", *beside(GIVEN, words)]) == 2, words
        said += [f"$ {' '.join(words)}".replace("\n", "\\n"), *capsys.readouterr().err.splitlines()]
    monkeypatch.setattr(check, "_is_this_machine", lambda: False)
    monkeypatch.setenv("SLURM_CONF", "/no/slurm.conf")
    said += ["$ in a folder that the nodes do not see", *faults("output_dir=/tmp/run")]
    check._partitions.cache_clear()
    said += ["$ where the settings of SLURM are gone", *faults()]
    assert_golden("errors_slurm.txt", "\n".join(said), {str(here): "HERE"})


def test_faults_are_told_together() -> None:
    assert len(faults("gpus_per_node=9", "nodes=5", "lr=-1", "launcher.sbatch.qoss=x")) == 4


def test_a_backend_that_needs_a_gpu_asks_the_job_for_one() -> None:
    assert faults("backend=mini-trainer")[0] == (
        "backend=mini-trainer: needs a CUDA GPU; none was found here; add gpus_per_node=N"
    )
    assert (
        train.plan(train.composed([*GIVEN, "backend=mini-trainer", "gpus_per_node=2"])).config["launcher"]["world_size"]
        == 2
    )


def test_a_machine_without_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert faults() == (
        "launcher=slurm: no sbatch on this machine; run this where jobs can be submitted, or use launcher=local",
    )


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slurm.conf").write_text(
        "ClusterName=gone\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nMessageTimeout=1\n"
    )
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    check._partitions.cache_clear()
    [fault] = faults()
    assert fault.startswith("launcher=slurm: SLURM does not answer: ")
    assert "\n" not in fault


def test_a_cluster_whose_settings_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", "/no/slurm.conf")
    check._partitions.cache_clear()
    rule = "SLURM does not answer: SLURM_CONF=/no/slurm.conf: no such file; ask its administrator"
    assert faults() == (f"launcher=slurm: {rule}",)


@pytest.mark.parametrize(
    ("path", "expected"), [("/tmp/run", True), ("/dev/shm/run", True), ("/proc/run", False), ("/run/x", True)]
)
def test_file_systems_that_other_machines_do_not_see(path: str, expected: bool) -> None:
    assert check.is_node_local(path) is expected


def test_the_plan_shows_the_script_of_sbatch() -> None:
    words = [
        "nodes=2",
        "gpus_per_node=8",
        "timeout_min=60",
        "launcher.sbatch.qos=high",
        "launcher.setup=['module load x']",
    ]
    text = plan_text([*GIVEN, *words, "effective_batch_size=16"])
    for line in (
        "  #SBATCH --gpus-per-node=8", "  #SBATCH --nodes=2", "  #SBATCH --ntasks-per-node=1", "  #SBATCH --qos=high",
        "  #SBATCH --requeue", "  #SBATCH --signal=B:USR2@120", "  #SBATCH --time=60", "  module load x",
    ):  # fmt: skip
        assert line in text.splitlines(), line
    assert re.search(r"\n  exec \S+ -m training_hub.launchers.slurm.batch \S+/run\n", text)
    assert "--node-rank='$NODE_RANK'" in text or "'--node-rank=$NODE_RANK'" in text


def test_the_guide_shows_what_plan_prints(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    Path("MODEL").symlink_to("model")
    Path("train.jsonl").symlink_to("rows.jsonl")
    [words] = [each for each in commands(GUIDE) if each[0] == "plan"]
    text = plan_text(words[1:]).replace(sys.executable, "python").replace(str(here), "/home/me")
    assert text[text.index("\ncommand\n") + 1 : text.index("\nconfig\n")] == fences(GUIDE, "text")[0]


def test_the_plan_of_a_sweep_shows_the_script_of_the_array(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "-m", *GIVEN, "seed=1,2,3", "jobs=2"]) == 0
    [options] = [line for line in capsys.readouterr().out.splitlines() if "--array" in line]
    assert options == "  #SBATCH --array=0-2%2"


def test_doctor_tells_of_the_cluster() -> None:
    text, _ = doctor(["launcher=slurm"])
    [line] = [each for each in text.splitlines() if each.startswith("SLURM")]
    assert "main (4 nodes, 8 GPUs each), high (4 nodes, 8 GPUs each)" in line


def node(*typed: str) -> dict[str, Any]:
    return dict(train.plan(train.composed([*GIVEN, *typed])).config["launcher"])


@pytest.mark.parametrize(
    ("typed", "processes"),
    [([], 1), (["gpus_per_node=3", "effective_batch_size=6"], 3), (["nproc_per_node=2"], 2)],
)
def test_there_is_a_process_for_each_gpu_or_one(typed: list[str], processes: int) -> None:
    assert node(*typed)["nproc_per_node"] == processes
