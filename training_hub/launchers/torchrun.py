"""The torchrun command, as a pure function of its settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from training_hub.errors import fault

# Set by a surrounding torchrun; a worker that inherits them joins the wrong group.
INHERITED = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_NAME",
    "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS",
    "TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_ERROR_FILE", "TORCHELASTIC_ENABLE_FILE_TIMER",
    "PET_NPROC_PER_NODE", "PET_NNODES", "PET_NODE_RANK", "PET_RDZV_ID", "PET_RDZV_ENDPOINT", "PET_MASTER_ADDR",
    "PET_MASTER_PORT",
)  # fmt: skip


_HOST = re.compile(r"[\w.:-]+")
_ENDPOINT = re.compile(r"(\[[\w.:]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?")


def command(node: Mapping[str, Any], python: str, worker: Sequence[str], script: Sequence[str] = ()) -> list[str]:
    """The command of one machine: see `Launcher.command`. A single process of the project's own needs no torchrun."""
    if script:
        return [python, *worker, *torchrun(node, python, script)]
    return [python, *worker] if node["world_size"] == 1 else torchrun(node, python, worker)


def torchrun(node: Mapping[str, Any], python: str, program: Sequence[str]) -> list[str]:
    """The command of torchrun on one machine; program: from `-m` on.

    `python -m torch.distributed.run` rather than `torchrun`: whatever is first on PATH may be another environment's.
    """
    command = [python, "-m", "torch.distributed.run"]
    command += [f"--nnodes={node['nnodes']}", f"--nproc-per-node={node['nproc_per_node']}"]
    if node["nnodes"] == 1:
        command += ["--standalone"]
    else:
        command += [f"--node-rank={node['node_rank']}"]
        command += [f"--rdzv-id={node['rdzv_id']}"] if node["rdzv_id"] is not None else []
        endpoint, address = meeting(node)
        if endpoint:
            command += ["--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}"]
        else:
            command += ["--rdzv-backend=static", f"--master-addr={address}"]
            command += [f"--master-port={node['master_port'] or 29500}"]
    return [*command, "--max-restarts=0", *program]


def meeting(node: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The endpoint and the address of a rendezvous; where one is typed, the other one of the environment has no say."""
    endpoint, address = node["rdzv_endpoint"], node["master_addr"]
    if endpoint and address and _is_typed("rdzv_endpoint", node) != _is_typed("master_addr", node):
        return (endpoint, None) if _is_typed("rdzv_endpoint", node) else (None, address)
    return endpoint, address


def check(node: Mapping[str, Any]) -> list[str]:
    """Contradictions among sound values."""
    faults = []
    nnodes, node_rank = node["nnodes"], node["node_rank"]
    (endpoint, address), port = meeting(node), node["master_port"]
    if endpoint and not _is_endpoint(endpoint):
        faults.append(fault("rdzv_endpoint", endpoint, "must be HOST:PORT"))
    if address and not _HOST.fullmatch(address):
        faults.append(fault("master_addr", address, "must be the name or the address of a machine"))
    if node_rank >= nnodes:
        faults.append(fault("node_rank", node_rank, f"must be less than nnodes={nnodes}"))
    if endpoint and address:
        faults.append(fault("rdzv_endpoint", endpoint, f"master_addr={address} is set as well", "keep one of the two"))
    if nnodes > 1 and not endpoint and not address:
        way = "add master_addr=HOST or rdzv_endpoint=HOST:PORT"
        faults.append(fault("nnodes", nnodes, "more than one machine needs a rendezvous", way))
    if _is_typed("master_port", node) and not address:
        faults.append(
            fault("master_port", port, "has no meaning without master_addr", "add master_addr=HOST or drop it")
        )
    if nnodes == 1:
        rule = "one machine needs no rendezvous"
        names = ("rdzv_id", "rdzv_endpoint", "master_addr")
        faults += [fault(name, node[name], rule, "add nnodes=N or drop it") for name in names if _is_typed(name, node)]
    return faults


def _is_endpoint(text: str) -> bool:
    """`HOST:PORT`; torchrun has a port for those who give none."""
    match = _ENDPOINT.fullmatch(text)
    return match is not None and int(match["port"] or 0) < 65536


def _is_typed(name: str, node: Mapping[str, Any]) -> bool:
    """Whether a setting is there and is not merely what a cluster puts into every environment."""
    surrounding = [os.environ.get(variable) for variable in (f"PET_{name.upper()}", name.upper())]
    return node[name] is not None and str(node[name]) not in surrounding
