"""What is shown is harmless, and showing it never fails."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_hub import terminal
from training_hub.errors import RunFailed
from training_hub.run import RunDir
from training_hub.terminal import Guarded, guarded, harmless, readable, say

HARMFUL = {
    "csi": "\x1b[2J", "c1 csi": "\x9b31m", "title": "\x1b]0;evil\x07", "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "link": "\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "dcs": "\x1bPq\x1b\\", "reset": "\x1bc", "bell": "\a",
    "backspace": "ab\b\bcd", "return": "evil\rgood", "rlo": "\u202egnp.exe", "isolate": "\u2066x\u2069",
    "mark": "a\u200fb",
    "line": "a\u2028b", "next line": "a\x85b", "null": "a\0b", "delete": "\x7f", "shift": "\x0e", "surrogate": "\udcff",
    "tag": "\U000e0041", "form feed": "\f", "vertical": "\v", "bom": "\ufeff", "alm": "\u061c",
}  # fmt: skip
HARMLESS = ["plain", "tab\tand\nline", "日本語\u3000漢字", "é\xa0!", "👩\u200d💻", "नमस्\u200cते", "a\\x1b[31m", "—…“”"]


@pytest.mark.parametrize("name", HARMFUL)
def test_what_a_terminal_would_obey_is_written_out(name: str) -> None:
    shown = harmless(HARMFUL[name])
    assert "\\" in shown
    assert harmless(shown) == shown
    assert not set(shown) & set("\x1b\x9b\x07\b\r\u202e\u2066\u200f\u2028\x85\0\x7f\udcff\f\v\ufeff\u061c")


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(st.characters(max_codepoint=0x2100)))
def test_no_control_but_tab_and_line_feed_is_left(text: str) -> None:
    for shown in (harmless(text), readable(text)):
        assert [each for each in shown if each not in "\t\n" and (each < " " or "\x7f" <= each <= "\x9f")] == []


def test_a_bar_in_a_log_is_shown_in_its_last_state_without_colours() -> None:
    log = "start\n\r  0%|   | 0/2\r\x1b[32m 50%|#  | 1/2\x1b[0m\r100%|## | 2/2\r\nend\x1b[A\x1b]8;;http://x\x07!\x1b]8;;\x07\n"
    assert readable(log) == "start\n100%|## | 2/2\nend!\n"


def test_the_end_of_a_log_is_readable(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.log.write_bytes(
        b"a\n" + b"".join(b"\r%3d%%" % number for number in range(100)) + b"\n\x1b[1mb\x1b[0m\xff\x1b\n"
    )
    assert run.log_tail(2) == " 99%\nb�\\x1b"


def test_an_error_is_harmless() -> None:
    assert str(RunFailed("dir\x1b[31m: failed\n  tail\r")) == "dir\\x1b[31m: failed\n  tail\\r"


class Full(io.StringIO):
    """A disk without room."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_stream_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Full(), None):
        monkeypatch.setattr(sys, "stdout", stream)
        say("unseen")
        with guarded() as lost:
            print("unseen", flush=True)
        assert [error.errno for error in lost] == [28] * 2 * (stream is not None)


def test_a_stream_of_few_letters_gets_the_others_written_out() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print("é█", file=Guarded(stream, str, []), flush=True)  # type: ignore[type-var]
    assert raw.getvalue() == b"\\xe9\\u2588\n"


def test_what_is_printed_is_harmless_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_PWD", "abc12-def34")
    with guarded():
        print("\x1b[31m", "abc12-def34")
        print("\x9b31m", file=sys.stderr)
    say("\x07")
    assert capsys.readouterr() == ("\\x1b[31m ***\n\\x07\n", "\\x9b31m\n")


def test_no_file_gets_the_number_of_a_closed_output(tmp_path: Path) -> None:
    code = "import os; from training_hub import terminal\nwith terminal.guarded():"
    code += " print(os.open('file', os.O_CREAT), file=open('n', 'w'))"
    subprocess.run(
        f"exec {sys.executable} -c \"{code}\" <&- >&- 2>&-",
        shell=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(terminal.__file__).parents[1])},
    )  # fmt: skip
    assert int((tmp_path / "n").read_text()) > 2
