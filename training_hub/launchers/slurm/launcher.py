"""A SLURM cluster: the run becomes a job."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from training_hub.jobs import Job
from training_hub.launchers import torchrun
from training_hub.launchers.jobs import JobLauncher
from training_hub.launchers.slurm import check, cluster
from training_hub.launchers.slurm.rendezvous import FIRST_NODE, NODE_RANK, PORT
from training_hub.launchers.slurm.submit import alike, script, submit
from training_hub.params import Checked, Text, param
from training_hub.run import RunDir, RunSpec

# Options of sbatch that say where and when a job runs, and nothing of what.
_HARMLESS = {
    "begin", "comment", "constraint", "contiguous", "core_spec", "cores_per_socket", "deadline", "dependency",
    "exclude", "exclusive", "gpu_bind", "gpu_freq", "gpus", "gpus_per_task", "gres", "hint", "hold", "licenses",
    "mail_type", "mem_per_cpu", "mem_per_gpu", "nice", "nodelist", "overcommit", "oversubscribe", "power", "priority",
    "qos", "reservation", "sockets_per_node", "spread_job", "switches", "threads_per_core", "time_min", "tmp",
    "use_min_nodes", "wckey",
}  # fmt: skip


class SlurmParams(Checked):
    """What a job asks for."""

    nodes: int = param("number of machines", unit="machines", gt=0)
    gpus_per_node: int = param("GPUs per machine", unit="GPUs", ge=0)
    nproc_per_node: Annotated[int, Field(gt=0)] | Literal["auto"] = param(
        "processes per machine; auto: one per GPU, or one without GPUs", unit="processes"
    )
    cpus_per_node: int | None = param("CPU cores per machine; null: the cluster's default", unit="cores", gt=0)
    memory_gb: float | None = param("memory per machine; null: the cluster's default", unit="GB", gt=0)
    partition: Text | None = param("partition; null: the cluster's default")
    account: Text | None = param("account that is charged")
    timeout_min: int | None = param(
        "time limit; a run that reaches it saves, is requeued and resumes; null: the partition's limit",
        unit="minutes",
        gt=0,
    )
    max_requeues: int = param("how often the job may be requeued after its time limit or a preemption", ge=0)
    wait: bool = param("follow the job until it ends; false: return as soon as it is submitted")


class SlurmNode(SlurmParams):
    """`launcher`: its class, its parameters, and what has no parameter of its own."""

    target: Text = Field(alias="_target_", description="the class")
    job_name: Text = param("name of the job", min_length=1)
    stop_before_s: int = param("how long before the time limit the run is asked to save and stop", "seconds", gt=0)
    sbatch: dict[str, Any] = param("further options of sbatch; true for an option without a value")
    srun: list[Text] = param("further arguments of srun, which starts one process per machine")
    setup: list[Text] = param("shell lines that run first, on the first machine")
    folder: Text = param("the run directory")
    world_size: int = param("number of processes over all machines", gt=0)


class SlurmLauncher(JobLauncher):
    """A run is a job; the runs of a sweep are one array."""

    name: ClassVar[str] = "SLURM"
    job_id: ClassVar[str] = r"\d+(_\d+)?"

    Params: ClassVar[type[SlurmParams]] = SlurmParams
    Node: ClassVar[type[SlurmParams]] = SlurmNode
    dropped_env: ClassVar[tuple[str, ...]] = torchrun.INHERITED

    @classmethod
    def check(cls, node: Mapping[str, Any]) -> list[str]:
        """What the cluster would refuse, or leave waiting for ever."""
        return check.check(node)

    @classmethod
    def gpus(cls, node: Mapping[str, Any]) -> tuple[int, str]:
        """Those that the job asks for."""
        return int(node["gpus_per_node"]), "add gpus_per_node=N"

    @classmethod
    def command(
        cls, node: Mapping[str, Any], python: str, worker: Sequence[str], script: Sequence[str] = ()
    ) -> list[str]:
        """As on one machine; what only the job knows is left open."""
        meeting = {"node_rank": NODE_RANK, "master_addr": FIRST_NODE, "master_port": PORT}
        group = {"nnodes": node["nodes"], "rdzv_id": None, "rdzv_endpoint": None, **meeting}
        return torchrun.command({**node, **group}, python, worker, script)

    @classmethod
    def environment(cls, node: Mapping[str, Any]) -> dict[str, str]:
        """Nothing: a node knows its cores, this machine does not."""
        return {}

    @classmethod
    def plan(cls, specs: Sequence[RunSpec], folder: Path, at_a_time: int | None = None) -> str:
        """The script that sbatch is given, several where the runs ask for different things."""
        return "\n".join(script(each, folder, at_a_time) for each in alike(specs))

    @classmethod
    def submit(cls, specs: Sequence[RunSpec], folder: Path, at_a_time: int | None) -> Iterator[tuple[RunSpec, str]]:
        """By sbatch: one array of all that ask for the same."""
        return submit(specs, folder, at_a_time)

    @classmethod
    def jobs(cls, ids: Collection[str]) -> dict[str, Job]:
        """By squeue; what that has forgotten by sacct, where the cluster keeps accounts."""
        return cluster.jobs(ids)

    @classmethod
    def cancel(cls, ids: Collection[str]) -> None:
        """By scancel."""
        cluster.cancel(ids)

    @classmethod
    def version(cls) -> str:
        """Its version, and the partitions with their nodes."""
        cluster.must_exist()
        found = [f"{each.name} ({each.nodes} nodes, {each.gpus} GPUs each)" for each in cluster.partitions()]
        return f"{cluster.ask('sbatch', '--version').strip()}: {', '.join(found)}"

    @classmethod
    def log(cls, job: str, run: RunDir) -> str:
        """A job of an array writes beside the script, until its run is known."""
        return RunDir(run.path.parent).submitted.joinpath(f"{job}.log").read_text(errors="replace")

    @classmethod
    def executes(cls, setting: str, value: Any) -> bool:
        """Lines of shell, arguments of srun, and any option of sbatch but for those that say where and when."""
        first, _, option = setting.partition(".")
        if first == "sbatch":
            return bool(value) and not isinstance(value, dict) and option.replace("-", "_") not in _HARMLESS
        return first in ("setup", "srun") and bool(value)
