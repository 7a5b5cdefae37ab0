"""Verbs declare themselves: found by their module, from installed packages too, and no declaration is heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.verbs.conftest import WriteRun, write_run  # noqa: F401  a fixture
from training_hub.cli import main
from training_hub.command_line import finding
from training_hub.command_line.verb import SECTIONS

HEAVY = ("hydra", "omegaconf", "torch", "numpy", "matplotlib", "jinja2")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that brings a verb `greet`, and its file."""
    (tmp_path / "other-1.0.dist-info").mkdir()
    (tmp_path / "other-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (tmp_path / "other-1.0.dist-info" / "entry_points.txt").write_text("[training_hub.verbs]\ngreet = other_verb\n")
    file = tmp_path / "other_verb.py"
    file.write_text(
        "from training_hub.command_line.verb import Verb\n"
        "VERB = Verb('say hello', lambda call: print('hello', call.overrides) or 0, overrides=True)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "other_verb", raising=False)
    return file


def test_every_module_of_the_folder_is_a_verb_with_a_line_of_help() -> None:
    for name in finding.shipped():
        verb = finding.load(name)
        assert verb.section in SECTIONS, name
        assert 10 < len(verb.help) < 110, name


def test_no_declaration_imports_anything_heavy() -> None:
    code = (
        "import sys; from training_hub.command_line import finding; [finding.load(each) for each in finding.names()]; "
        f"print(sorted({{*sys.modules}} & {set(HEAVY)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_package_brings_a_verb(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["greet", "lr=1"]) == 0
    assert capsys.readouterr().out == "hello ['lr=1']\n"
    assert main(["--help"]) == 0
    assert "\nverbs: more\n  greet        say hello\n" in capsys.readouterr().out
    assert main(["greet", "-m"]) == 2
    assert capsys.readouterr().err == "greet: not for sweeps; drop -m\n"


def test_a_verb_that_is_there_already_is_refused(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = package.parent / "other-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[training_hub.verbs]\nplan = other_verb\n")
    assert main(["plan"]) == 2
    expected = "other 1.0: plan is a verb of training_hub; rename one, or remove that package\n"
    assert capsys.readouterr().err == expected


def test_a_package_whose_verb_is_broken_stops_no_other_verb(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package.write_text("import no_such_module\n")
    assert main(["greet"]) == 2
    expected = "greet: other_verb cannot be imported (No module named 'no_such_module'); reinstall that package\n"
    assert capsys.readouterr().err == expected
    assert main(["list"]) == 0
    assert main([]) == 2
    assert "greet: other_verb cannot be imported" in capsys.readouterr().err.replace("\n" + " " * 15, " ")


def test_the_example_of_an_extension_brings_a_verb(extension: Path, tmp_path: Path, write_run: WriteRun) -> None:  # noqa: F811
    write_run(tmp_path / "run", rows=3)
    env = {"PYTHONPATH": f"{extension}:{Path(__file__).parents[2]}", "PATH": "", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "training_hub", "trend"]

    def trend(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    done = trend("run", "last=1")
    assert (done.returncode, done.stdout) == (0, "step 3  loss 1.0000  -2.0000 since the first\n"), done.stderr
    done = trend("nix")
    assert (done.returncode, done.stderr) == (2, "nix: no run is there; trend takes the folder of a run\n")


def test_bare_help_is_short_and_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("usage: python -m training_hub [VERB]")
    assert max(map(len, told.err.splitlines())) <= 100


@pytest.mark.parametrize("verb", finding.shipped())
def test_help_of_a_verb_shows_its_settings_and_flags_in_100_columns(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    declared = finding.load(verb)
    first = [line.split()[0].rstrip(",") for line in lines if line.strip()]
    assert set(declared.settings.model_fields if declared.settings else ()) <= set(first)
    assert {flag.names[0] for flag in declared.flags} <= set(first)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("lr=1e-5 plan", "plan: a verb comes first; type python -m training_hub plan lr=1e-5"),
        ("-m lr=1,2 plan", "plan: a verb comes first; type python -m training_hub plan -m lr=1,2"),
        ("plan lr=1 explain", "explain: plan is the verb already; keep one of the two"),
        ("paln lr=1", "paln: no such verb; did you mean plan?"),
        ("help", "help: no such verb; use --help"),
        ("--lr 1e-5", "--lr: no such flag; a setting has no dashes: lr=1e-5"),
        ("list lr=1", "lr=1: list takes no settings; drop it"),
        ("--help=plan", "--help=plan: this flag has no value; write --help"),
        ("status --cfg job", "status: --cfg shows something and does nothing else; drop one of the two"),
    ],
)
def test_what_cannot_be_is_one_line(typed: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed.split()) == 2
    assert capsys.readouterr().err == f"{expected}\n"
