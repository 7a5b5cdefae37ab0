"""The arithmetic of scripts/gpu_check."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[2] / "scripts" / "gpu_check" / "measure.py"
LLAMA_1B = {
    "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128_256,
}  # fmt: skip


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check_measure", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_operations_of_a_token_are_six_for_each_weight_and_those_of_the_attention(
    measure: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_1B))
    weights = 16 * (2 * 2048 * 64 * (32 + 8) + 3 * 2048 * 8192) + 2048 * 128_256
    assert weights == 1_235_746_816  # Llama 3.2 1B, its norms aside
    attention = 3 * 16 * 2 * (2 * 2048) * 512  # scores and values, of the 512 tokens before one in the mean
    assert measure.flops_per_token(tmp_path, 1024, adapter=False) == 6 * weights + attention
    assert measure.flops_per_token(tmp_path, 1024, adapter=True) == 4 * weights + attention


def test_a_card_is_known_by_its_name(measure: ModuleType) -> None:
    assert measure.peak_tflops("NVIDIA H100 80GB HBM3") == 989
    assert measure.peak_tflops("NVIDIA H100 PCIe") == 756
    assert measure.peak_tflops("NVIDIA L40S") == 362


def test_a_command_is_measured_with_its_children(measure: ModuleType, tmp_path: Path) -> None:
    code = "import subprocess, sys; print('out'); subprocess.run([sys.executable, '-c', 'x = bytearray(10**8)'])"
    done = measure.run_measured([sys.executable, "-c", f"{code}; sys.exit(3)"], tmp_path, {})
    assert done.status == 3
    assert done.output == "out\n"
    assert 0.1 < done.peak_memory_gb < 1
    assert 0 < done.seconds < 30
