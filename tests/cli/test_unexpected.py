"""A fault of the program itself: one line and exit status 70, and the traceback in a file without secrets."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from training_hub import cli
from training_hub.errors import ConfigError, fault
from training_hub.verbs.explain import translation as explain


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's state folder, and a verb that breaks."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh")

    def breaks(*_: object) -> str:
        raise KeyError("hf_abcdefgh\x1b[31m\nand more")

    monkeypatch.setattr(explain, "explain", breaks)
    return tmp_path / "state" / "training_hub"


def test_an_unexpected_error_is_one_line_and_70(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "data_path=hf_abcdefgh"]) == 70
    [line] = capsys.readouterr().err.splitlines()
    [file] = state.iterdir()
    assert line.startswith("KeyError: ")
    assert line.endswith(f": a bug in training_hub; please report it with the traceback in {file}")
    assert line.isprintable()
    assert "hf_abcdefgh" not in line


def test_the_traceback_is_the_users_alone_and_holds_no_secret(state: Path) -> None:
    cli.main(["explain", "data_path=hf_abcdefgh"])
    [file] = state.iterdir()
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Traceback" in text
    assert "in breaks" in text
    assert "data_path=***" in text
    assert "hf_abcdefgh" not in text


def test_debug_shows_the_traceback(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_state_folder_that_cannot_be_made_is_no_second_fault(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert cli.main(["explain"]) == 70
    assert str(tmp_path / "temporary") in capsys.readouterr().err


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31mred", "\ud800", "a\u2028b", "x" * 5000, [1] * 5000])
def test_a_fault_is_one_short_printable_line_whatever_the_value(value: object) -> None:
    text = str(ConfigError(fault("lr", value, "must be a number")))
    assert text.isprintable()
    assert len(text) < 400
    assert text.startswith("lr=")
    assert text.endswith(": must be a number")
