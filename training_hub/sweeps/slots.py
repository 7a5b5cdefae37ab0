"""Who gets which GPU: the devices of this machine, lent to one run at a time."""

from __future__ import annotations

import os
from dataclasses import replace

from training_hub import train
from training_hub.machine import hardware


class Slots:
    """Room for so many runs at a time: on GPUs as far as these go, each run with its own; without any, `jobs`."""

    def __init__(self, jobs: int | None, waiting: int) -> None:
        """jobs: most runs at a time, None for one on each GPU, or one. waiting: runs in all."""
        self._free = _devices()
        self._without = not self._free
        self._left = min(waiting, jobs or len(self._free) or 1)
        self.at_a_time = self._left

    def take(self, planned: train.Plan) -> train.Plan | None:
        """The plan with devices of its own and its share of the cores; None where there is no room for it now."""
        wanted = 0 if self._without else int(planned.config["launcher"].get("nproc_per_node", 1))
        if not self._left or wanted > len(self._free):
            return None
        self._left -= 1
        mine, self._free = self._free[:wanted], self._free[wanted:]
        env = dict(planned.spec.env)
        if mine:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
        if "OMP_NUM_THREADS" in env:
            env["OMP_NUM_THREADS"] = str(max(1, int(env["OMP_NUM_THREADS"]) // self.at_a_time))
        return replace(planned, spec=replace(planned.spec, env=env))

    def give_back(self, planned: train.Plan) -> None:
        """The run is over."""
        self._left += 1
        if not self._without:
            self._free += planned.spec.env["CUDA_VISIBLE_DEVICES"].split(",")


def _devices() -> list[str]:
    """The GPUs as CUDA_VISIBLE_DEVICES names them."""
    count = len(hardware.gpus())
    named = hardware.visible_names(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    return named[:count] if named else [str(number) for number in range(count)]
