"""This machine: one worker process, or several under torchrun."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from training_hub.errors import EXIT_CTRL_C
from training_hub.interfaces.launcher import Launcher
from training_hub.launchers import torchrun
from training_hub.launchers.process import started
from training_hub.machine import hardware
from training_hub.machine.signals import PassedOn, terminate_like_ctrl_c
from training_hub.params import Text, TorchrunParams, param
from training_hub.results.torchrun_log import blame_killed
from training_hub.run import RunDir, RunSpec, TrainResult
from training_hub.terminal import say

_TICK_S = 0.1


class LocalNode(TorchrunParams):
    """`launcher`: its class, its parameters, and what follows from them."""

    target: Text = Field(alias="_target_", description="the class")
    world_size: int = param("number of processes over all machines", gt=0)


class LocalLauncher(Launcher):
    """Starts the worker and follows it to its end."""

    Params: ClassVar[type[TorchrunParams]] = TorchrunParams
    Node: ClassVar[type[TorchrunParams]] = LocalNode
    dropped_env: ClassVar[tuple[str, ...]] = torchrun.INHERITED

    @classmethod
    def check(cls, node: Mapping[str, Any]) -> list[str]:
        """Contradictions between torchrun's settings."""
        return torchrun.check(node)

    @classmethod
    def command(
        cls, node: Mapping[str, Any], python: str, worker: Sequence[str], script: Sequence[str] = ()
    ) -> list[str]:
        """The worker itself for one process or for a script of a library's, else torchrun."""
        return torchrun.command(node, python, worker, script)

    @classmethod
    def environment(cls, node: Mapping[str, Any]) -> dict[str, str]:
        """Threads: the cores, shared among the processes; torchrun alone would give each process one."""
        threads = max(1, hardware.cores() // int(node["nproc_per_node"]))
        return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}

    @classmethod
    def launch(cls, spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int:
        """Run the commands in turn. Ctrl-C or SIGTERM once lets the worker save and stop; twice ends it (130)."""
        status = 0
        with terminate_like_ctrl_c():
            for command in spec.commands:
                status = _run(command, spec, run, each_tick)
                if status:
                    break
        if status == 0 and spec.settings.get("node_rank") and run.read_result() is None:
            _conclude(run)
        return status


def _conclude(run: RunDir) -> None:
    """On a machine that is not the first one: the result is there, and the workers here have ended well."""
    run.update_manifest(status="completed")
    run.write_result(TrainResult("completed", str(run.path)))


def _run(command: Sequence[str], spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int:
    begin = run.log_size()
    with started(command, spec, run) as worker:
        status = _follow(worker, run, each_tick)
    if status:
        blame_killed(run, begin)
    return status


def _follow(worker: subprocess.Popen[bytes], run: RunDir, each_tick: Callable[[], None]) -> int:
    asked = False
    while True:
        try:
            while worker.poll() is None:
                time.sleep(_TICK_S)
                each_tick()
            each_tick()
            return worker.returncode
        except KeyboardInterrupt as wish:
            if asked:
                return EXIT_CTRL_C
            asked = True
            run.request_stop()
            if not isinstance(wish, PassedOn):
                say("\nstopping after this step; Ctrl-C again to end at once")
