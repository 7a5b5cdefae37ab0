"""`list` and `doctor`: what there is to choose, and what this machine lacks for it."""

from __future__ import annotations

import re
import sys
import venv
from pathlib import Path

import pytest

from training_hub.cli import main
from training_hub.config import choices
from training_hub.installed import trust
from training_hub.installed.interpreter import missing_requirements
from training_hub.machine import hardware
from training_hub.registry import AlgorithmRegistry
from training_hub.verbs.doctor.checkup import doctor
from training_hub.verbs.list.tables import listing, state

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
    trust.allow(pythons=[bare])
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
    assert f"\nto install: uv pip install --python {bare} 'torch>=2.6' 'transformers>=5' " in text


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


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU, as its driver would report it; torch's source here is that of the build without CUDA."""
    monkeypatch.setattr(hardware, "gpus", lambda: [hardware.Gpu("NVIDIA H100", 80.0)])
    monkeypatch.setattr(hardware, "driver_cuda", lambda: 12)


def built_for(cuda: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the source of a build of torch in front of the installed one."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("")
    lines = ["from typing import Optional", "__version__ = '2.13.0+test'", f"cuda: Optional[str] = {cuda!r}"]
    (folder / "torch" / "version.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("cuda", "rule"),
    [
        (None, "torch 2.13.0+test is built without CUDA"),
        ("13.0", "torch 2.13.0+test is built for CUDA 13.0, the driver knows 12 at most"),
        ("12.8", None),
    ],
)
def test_a_torch_that_cannot_use_the_gpu_is_named_before_a_run(
    cuda: str | None, rule: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    built_for(cuda, tmp_path, monkeypatch)
    words = ["backend=mini-trainer", "backend.requires=[]"]
    status = main(["plan", *words, "model_path=model", "data_path=rows.jsonl"])
    errors = capsys.readouterr().err
    way = "install a build of torch for the driver's CUDA, see pytorch.org"
    assert (status, errors) == ((2, f"backend=mini-trainer: {rule}; {way}\n") if rule else (0, ""))
    assert main(["doctor", *words]) == (1 if rule else 0)
    text = capsys.readouterr().out
    assert rule is None or f"for the GPU: {way}" in text
    assert main(["doctor", *SFT, "backend.requires=[]"]) == 0
    assert ("the GPU is not used" in capsys.readouterr().out) == (rule is not None)


@pytest.mark.usefixtures("gpu")
def test_more_processes_than_gpus_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SFT, "model_path=model", "data_path=rows.jsonl", "nproc_per_node=2"]
    assert main(["plan", *words]) == 2
    assert capsys.readouterr().err == "nproc_per_node=2: this machine has 1 GPUs; at most 1\n"


def test_the_driver_is_asked_for_its_cuda() -> None:
    assert hardware.driver_cuda() is None or hardware.driver_cuda() in range(9, 30)


def test_flash_attention_that_is_not_there_is_said_with_what_happens_instead(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["doctor", "backend=instructlab-training"])
    assert rows(capsys.readouterr().out)["flash-attn"] == ["-", "sdpa instead, and one process only"]


def test_a_backend_that_could_have_an_environment_of_its_own_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["backend=mini-trainer", "backend.requires=[no-such-package]", "backend.needs_gpu=false"]
    way = "python -m training_hub env create mini-trainer, or pip install 'no-such-package'"
    assert main(["doctor", *words]) == 1
    assert f"\nto install: {way}\n" in capsys.readouterr().out
    assert main(["plan", *words, "model_path=model", "data_path=rows.jsonl"]) == 2
    assert capsys.readouterr().err == f"backend=mini-trainer: not installed: no-such-package; {way}\n"
