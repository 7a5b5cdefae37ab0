"""`list` and `doctor`: what there is to choose, and what this machine lacks for it."""

from __future__ import annotations

import re
import sys
import venv
from pathlib import Path

import pytest

from training_hub.cli import main
from training_hub.config import choices
from training_hub.config.preflight import missing_requirements
from training_hub.registry import AlgorithmRegistry
from training_hub.tools.doctor import doctor
from training_hub.tools.listing import listing, state

SFT = ["algorithm=sft", "backend=trl"]


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """The interpreter of an environment in which nothing is installed."""
    venv.create(tmp_path / "bare", with_pip=False)
    return str(tmp_path / "bare" / "bin" / "python")


def rows(text: str) -> dict[str, list[str]]:
    """Cells by the first one of their row."""
    return {cells[0]: cells[1:] for cells in (re.split(r"  +", line) for line in text.splitlines()) if cells[0]}


def test_the_list_has_every_algorithm_every_backend_and_which_pairs_exist() -> None:
    text = listing()
    header, *lines = text.partition("\n\n")[0].splitlines()
    backends = header.split()[1:]
    assert backends == choices.options("backend")
    for line in lines:
        algorithm, *marks = line.split()
        pairs = [backend for backend, mark in zip(backends, marks, strict=True) if mark != "-"]
        assert sorted(pairs) == sorted(AlgorithmRegistry.list_backends(algorithm))
        assert marks[backends.index(AlgorithmRegistry.list_backends(algorithm)[0])] == "default"
    assert [line.split()[0] for line in lines] == AlgorithmRegistry.list_algorithms()


@pytest.mark.needs("trl")
def test_a_backend_that_can_run_here_is_ready() -> None:
    assert state("trl") == "ready"
    assert re.search(r"^trl .* ready$", listing(), re.MULTILINE)


def test_what_is_not_installed_is_named_with_what_is() -> None:
    missing = missing_requirements(["pip>=0", "no-such-package>=2", "hydra-core>=99"])
    assert missing[0] == "no-such-package>=2"
    assert re.fullmatch(r"hydra-core>=99 \(1\.[\w.]+ is installed\)", missing[1])
    assert len(missing) == 2


def test_another_interpreters_packages_are_not_mistaken_for_our_own(bare: str) -> None:
    assert missing_requirements(["hydra-core>=1"], sys.executable) == []
    assert missing_requirements(["hydra-core>=1"], bare) == ["hydra-core>=1"]


@pytest.mark.needs("trl")
def test_the_doctor_finds_a_machine_that_has_everything_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SFT]) == 0
    text = capsys.readouterr().out
    assert text.startswith("sft on trl\n")
    report = text.partition("\nbackend ")[0]
    assert "missing" not in report
    found = rows(report)
    assert found["python"][-1] == found["hydra-core"][-1] == found["torch>=2.6"][-1] == "ok"
    assert found["GPUs"] == ["none", "-"]


def test_the_doctor_fails_where_a_library_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SFT, "backend.requires=['hydra-core>=1','no-such-package>=2','pydantic>=99']"]) == 1
    found = rows(capsys.readouterr().out)
    assert found["no-such-package>=2"] == ["-", "missing"]
    assert found["pydantic>=99"][-1] == "missing"
    assert found["hydra-core>=1"][-1] == "ok"


def test_the_doctor_fails_where_a_gpu_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SFT, "backend.requires=[]", "backend.needs_gpu=true"]) == 1
    assert rows(capsys.readouterr().out)["a CUDA GPU"] == ["0", "missing"]


def test_the_doctor_looks_where_the_worker_will_run(bare: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SFT, f"backend.python={bare}"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"^trl>=\S+ +- +missing$", text, re.MULTILINE)
    assert re.search(r"^trl +missing: torch>=2.6, ", text, re.MULTILINE), "and the table of backends does too"
    assert f"\nto install: {bare} -m pip install 'torch>=2.6' 'transformers>=5' " in text


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/true", "/bin/false", "model", "rows.jsonl"])
def test_what_is_no_interpreter_is_named(python: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = f"backend.python={python}: no such interpreter; give the path of a python executable\n"
    for verb in (["doctor"], ["plan", "model_path=model", "data_path=rows.jsonl"]):
        assert main([*verb, *SFT, f"backend.python={python}"]) == 2
        assert capsys.readouterr().err == expected


def test_the_doctor_refuses_a_name_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SFT, "backend.reqires=[]"]) == 2
    assert capsys.readouterr().err == "backend.reqires=[]: no such parameter; did you mean backend.requires?\n"


def test_the_report_and_the_verdict_agree() -> None:
    text, healthy = doctor([*SFT, "backend.requires=[no-such-package]"])
    assert not healthy
    assert "no-such-package" in text
