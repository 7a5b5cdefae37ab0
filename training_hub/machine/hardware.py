"""What this machine has: GPUs, processor cores, memory, disk. Asks the driver and the kernel, never torch."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# What a loaded driver shows: on Linux, in a container that sees a GPU, under WSL.
_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")


@dataclass(frozen=True)
class Gpu:
    """One visible GPU. memory_gb: in all, in units of 10**9 bytes."""

    name: str
    memory_gb: float


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves visible, in driver order; [] where there is no driver."""
    if not _has_driver():
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        found = [
            Gpu(str(pynvml.nvmlDeviceGetName(handle)), pynvml.nvmlDeviceGetMemoryInfo(handle).total / 1e9)
            for handle in handles
        ]
    finally:
        pynvml.nvmlShutdown()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else found[: len(visible_names(visible))]


def visible_names(names: str) -> list[str]:
    """Those of CUDA_VISIBLE_DEVICES that count: CUDA stops at the first that is none, such as `-1`."""
    return list(takewhile(lambda name: name not in ("", "-1"), map(str.strip, names.split(","))))


def driver_cuda() -> int | None:
    """The newest major version of CUDA that the driver knows, None where there is no driver."""
    if not _has_driver():
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlSystemGetCudaDriverVersion()) // 1000
    except pynvml.NVMLError:
        return None


def _has_driver() -> bool:
    """Whether a driver for NVIDIA GPUs is loaded: without one, importing pynvml to ask it is a tenth of a start."""
    return any(map(os.path.exists, _DRIVERS))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_gb() -> float:
    """Memory of the machine, or what a container may use of it, in units of 10**9 bytes."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *filter(None, map(_limit, _LIMITS))]) / 1e9


def _limit(file: Path) -> int | None:
    """The bytes that a file of the kernel allows, None where it sets no limit."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not there, or `max`
        return None


def free_disk_gb(path: str | os.PathLike[str]) -> float:
    """Free space, in units of 10**9 bytes, on the file system where path is or would be created."""
    return shutil.disk_usage(existing_parent(path)).free / 1e9


def existing_parent(path: str | os.PathLike[str]) -> Path:
    """The nearest folder above path, or path itself, that exists; a link counts, wherever it leads."""
    folder = Path(path).absolute()
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder
