"""Time, memory and arithmetic."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Matrix products in bfloat16 without sparsity, in 10**12 operations per second, from the makers' data sheets.
DATA_SHEETS = {
    "B200": 2250, "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A10": 125,
    "RTX 4090": 165,
}  # fmt: skip

PRODUCT = """
import time, torch
device, dtype, size = ("cuda", torch.bfloat16, 8192) if torch.cuda.is_available() else ("cpu", torch.float32, 1024)
a, b = torch.randn(2, size, size, device=device, dtype=dtype)
synchronise = torch.cuda.synchronize if device == "cuda" else lambda: None
best = 1e9
for _ in range(5):
    synchronise(); begin = time.perf_counter(); a @ b; synchronise()
    best = min(best, time.perf_counter() - begin)
print(2 * size**3 / best / 1e12)
"""


class Measured(NamedTuple):
    """A command that has ended. output: of both streams. peak_memory_gb: in units of 10**9 bytes."""

    status: int
    seconds: float
    peak_memory_gb: float
    output: str


def run_measured(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> Measured:
    """Run a command. Memory: what all GPUs hold more than before; without one, the largest process's."""
    with tempfile.TemporaryFile("w+") as output:
        before, most, over = gpu_memory(), 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not over.wait(0.1):
                most = max(most, gpu_memory() - before)

        watcher = threading.Thread(target=watch)
        watcher.start()
        began = time.monotonic()
        process = subprocess.Popen(words, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        over.set()
        watcher.join()
        output.seek(0)
        return Measured(process.returncode, seconds, (most or used.ru_maxrss * 1024) / 1e9, output.read())


def gpu_memory() -> int:
    """Bytes that all GPUs hold together; 0 where there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
    return sum(int(pynvml.nvmlDeviceGetMemoryInfo(handle).used) for handle in handles)


def flops_per_token(model: Path, length: int, adapter: bool) -> float:
    """Operations that training needs for one token of rows of this length.

    2 for each weight forward, 2 for the gradient of the activations, and 2 for that of the weight where it is trained
    (not under an adapter); the scores of the attention beside them, of which the causal half counts. The embedding is
    looked up, not multiplied. After Kaplan et al. 2020 (arXiv 2001.08361), appendix B.
    """
    config = json.loads((model / "config.json").read_text())
    size, layers = config["hidden_size"], config["num_hidden_layers"]
    heads, groups = config["num_attention_heads"], config.get("num_key_value_heads", config["num_attention_heads"])
    head = config.get("head_dim") or size // heads
    attention = 2 * size * head * (heads + groups)
    weights = layers * (attention + 3 * size * config["intermediate_size"]) + size * config["vocab_size"]
    scores = 2 * layers * heads * head * length  # scores and their use, 2 operations each, over half of the length
    return float((4 if adapter else 6) * weights + 3 * scores)


@functools.cache
def peak_tflops(card: str | None) -> float:
    """What the card's data sheet says; for others, what a large matrix product reaches here."""
    known = next((value for name, value in DATA_SHEETS.items() if card and name in card), None)
    if known:
        return float(known)
    done = subprocess.run([sys.executable, "-c", PRODUCT], capture_output=True, text=True, check=True)
    return float(done.stdout)
