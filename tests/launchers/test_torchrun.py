"""The torchrun command, word for word, and the settings that contradict each other."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from training_hub import train
from training_hub.config import lookup
from training_hub.launchers import torchrun
from training_hub.launchers.local import LocalLauncher

ALONE: dict[str, Any] = {
    "nproc_per_node": 1, "nnodes": 1, "node_rank": 0, "rdzv_id": None, "rdzv_endpoint": None, "master_addr": None,
    "master_port": None, "world_size": 1,
}  # fmt: skip


def command(*typed: str) -> str:
    """The worker's command of a run, as one line."""
    given = ["model_path=model", "data_path=rows.jsonl", "output_dir=run", "effective_batch_size=48", *typed]
    [words] = train.plan(train.composed(given)).spec.commands
    assert words[0] == sys.executable
    return " ".join(["python", *words[1:]])


def faults(**settings: Any) -> list[str]:
    return torchrun.check({**ALONE, **settings})


def launcher_node(*typed: str) -> dict[str, Any]:
    """The launcher's settings of a composed config."""
    composition = train.composed(typed)
    with composition.resolving() as cfg:
        node: dict[str, Any] = lookup.plain(cfg.launcher)
        return node


STATIC = ("nnodes=2", "nproc_per_node=8", "node_rank=1", "master_addr=node0")
AT_A_RENDEZVOUS = ("nnodes=2", "nproc_per_node=8", "node_rank=1", "rdzv_id=job", "rdzv_endpoint=node0:29400")


def test_one_process_needs_no_torchrun() -> None:
    assert command() == "python -m training_hub.worker run"


def test_several_processes_on_this_machine() -> None:
    assert command("nproc_per_node=4") == (
        "python -m torch.distributed.run --nnodes=1 --nproc-per-node=4 --standalone "
        "--max-restarts=0 -m training_hub.worker run"
    )


def test_two_machines_that_know_the_first() -> None:
    assert command(*STATIC) == (
        "python -m torch.distributed.run --nnodes=2 --nproc-per-node=8 --node-rank=1 "
        "--rdzv-backend=static --master-addr=node0 --master-port=29500 --max-restarts=0 -m training_hub.worker run"
    )


def test_two_machines_that_know_the_first_and_its_port() -> None:
    assert command("nnodes=2", "rdzv_id=7", "master_addr=node0", "master_port=1234") == (
        "python -m torch.distributed.run --nnodes=2 --nproc-per-node=1 --node-rank=0 --rdzv-id=7 "
        "--rdzv-backend=static --master-addr=node0 --master-port=1234 --max-restarts=0 -m training_hub.worker run"
    )


def test_two_machines_that_meet_at_a_rendezvous() -> None:
    assert command(*AT_A_RENDEZVOUS) == (
        "python -m torch.distributed.run --nnodes=2 --nproc-per-node=8 --node-rank=1 --rdzv-id=job "
        "--rdzv-backend=c10d --rdzv-endpoint=node0:29400 --max-restarts=0 -m training_hub.worker run"
    )


@pytest.mark.needs("torch")
@pytest.mark.parametrize("typed", [("nproc_per_node=4",), STATIC, AT_A_RENDEZVOUS], ids=["alone", "static", "c10d"])
def test_torchrun_understands_the_command(typed: tuple[str, ...]) -> None:
    from torch.distributed.run import parse_args

    parsed = parse_args(command(*typed).split()[3:])
    assert (parsed.module, parsed.training_script, parsed.training_script_args) == (
        True,
        "training_hub.worker",
        ["run"],
    )
    for name, value in (each.split("=") for each in typed):
        assert str(getattr(parsed, name)) == value


def test_sound_settings_have_no_faults() -> None:
    assert faults() == []
    assert faults(nnodes=2, node_rank=1, master_addr="node0", master_port=1) == []
    for endpoint in ("node0:1", "node-0.cluster", "10.0.0.1:29400", "[fe80::1]:29400"):
        assert faults(nnodes=2, rdzv_endpoint=endpoint) == []
    assert faults(nnodes=2, master_addr="fe80::1") == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"node_rank": 1}, ["node_rank=1: must be less than nnodes=1"]),
        (
            {"nnodes": 2, "rdzv_endpoint": "a:1", "master_addr": "b"},
            ["rdzv_endpoint=a:1: master_addr=b is set as well; keep one of the two"],
        ),
        (
            {"nnodes": 2},
            ["nnodes=2: more than one machine needs a rendezvous; add master_addr=HOST or rdzv_endpoint=HOST:PORT"],
        ),
        (
            {"rdzv_id": 7, "master_addr": "a"},
            [
                "rdzv_id=7: one machine needs no rendezvous; add nnodes=N or drop it",
                "master_addr=a: one machine needs no rendezvous; add nnodes=N or drop it",
            ],
        ),
        (
            {"rdzv_endpoint": "a:1"},
            ["rdzv_endpoint=a:1: one machine needs no rendezvous; add nnodes=N or drop it"],
        ),
        (
            {"master_port": 1},
            ["master_port=1: has no meaning without master_addr; add master_addr=HOST or drop it"],
        ),
        ({"nnodes": 2, "rdzv_endpoint": "http://a:1"}, ["rdzv_endpoint=http://a:1: must be HOST:PORT"]),
        ({"nnodes": 2, "rdzv_endpoint": "a:70000"}, ["rdzv_endpoint=a:70000: must be HOST:PORT"]),
        ({"nnodes": 2, "master_addr": "a b"}, ["master_addr=a b: must be the name or the address of a machine"]),
        (
            {"nnodes": 2, "node_rank": 5, "master_port": 1},
            [
                "node_rank=5: must be less than nnodes=2",
                "nnodes=2: more than one machine needs a rendezvous; add master_addr=HOST or rdzv_endpoint=HOST:PORT",
                "master_port=1: has no meaning without master_addr; add master_addr=HOST or drop it",
            ],
        ),
    ],
    ids=["rank too high", "two rendezvous", "no rendezvous", "alone", "alone at an endpoint", "port alone",
         "address of a page", "port too high", "two words", "several"],
)  # fmt: skip
def test_contradictions_are_faults(settings: dict[str, Any], expected: list[str]) -> None:
    assert faults(**settings) == expected


def test_torchruns_variables_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"NPROC_PER_NODE": "4", "NNODES": "2", "NODE_RANK": "1", "RDZV_ID": "7", "RDZV_ENDPOINT": "node0:29400"}
    for name, value in variables.items():
        monkeypatch.setenv(f"PET_{name}", value)
    node = launcher_node()
    assert (node["nproc_per_node"], node["nnodes"], node["node_rank"], node["world_size"]) == (4, 2, 1, 8)
    assert (str(node["rdzv_id"]), node["rdzv_endpoint"]) == ("7", "node0:29400")


def test_an_argument_goes_before_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PET_NPROC_PER_NODE", "4")
    monkeypatch.setenv("PET_NNODES", "2")
    node = launcher_node("nproc_per_node=2", "nnodes=1")
    assert (node["nproc_per_node"], node["nnodes"], node["world_size"]) == (2, 1, 2)


def test_what_a_cluster_puts_into_every_environment_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "node0")
    monkeypatch.setenv("PET_RDZV_ID", "7")
    assert torchrun.check(launcher_node()) == []


def test_a_rendezvous_that_is_typed_goes_before_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "node0")
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert "--rdzv-backend=c10d --rdzv-endpoint=there:1 --max" in command("nnodes=2", "rdzv_endpoint=there:1")
    monkeypatch.setenv("PET_RDZV_ENDPOINT", "there:1")
    assert "--rdzv-backend=static --master-addr=me --master-port=29500 --max" in command("nnodes=2", "master_addr=me")
    [both] = torchrun.check(launcher_node("nnodes=2"))
    assert both == "rdzv_endpoint=there:1: master_addr=node0 is set as well; keep one of the two"


def test_a_port_of_the_environment_alone_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert torchrun.check(launcher_node()) == []


def test_torchruns_own_variable_goes_before_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "general")
    monkeypatch.setenv("MASTER_PORT", "1")
    assert (launcher_node()["master_addr"], launcher_node()["master_port"]) == ("general", 1)
    monkeypatch.setenv("PET_MASTER_ADDR", "torchruns")
    monkeypatch.setenv("PET_MASTER_PORT", "2")
    assert (launcher_node()["master_addr"], launcher_node()["master_port"]) == ("torchruns", 2)


def test_threads_are_shared_among_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    threads = [LocalLauncher.environment({"nproc_per_node": each}) for each in (1, 2, 3, 16)]
    assert threads == [{"OMP_NUM_THREADS": number} for number in ("8", "4", "2", "1")]


def test_the_users_own_number_of_threads_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS" not in LocalLauncher.environment({"nproc_per_node": 2})
