"""What a sweep shows on a real pseudo-terminal while its runs go on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.results.test_progress import on_a_terminal
from training_hub.run import RunDir
from training_hub.sweeps.screen import Screen


def test_a_terminal_shows_the_runs_that_go_on(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from training_hub.run import RunDir
        from training_hub.sweeps.screen import Screen
        trains, starts = (RunDir(Path(sys.argv[1]) / name) for name in ("trains", "starts"))
        for run in (trains, starts):
            run.path.mkdir()
            run.create({}, [], {"total_steps": 10})
        trains.append_metrics(step=3, loss=2.0, lr=1e-5)
        with Screen() as screen:
            screen.draw([("seed=1", trains), ("seed=2", starts)] + [("seed=9", starts)] * 8)
            print("another has ended")
        print("the table")
    """
    shown = on_a_terminal(code, str(tmp_path), columns=60)
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    lines = [" ".join(line.split()) for line in plain.splitlines() if line.strip()]
    for line in ("seed=1 3/10 loss 2.0000 lr 1.00e-05", "seed=2 starting", "... and 2 more"):
        assert line in lines, shown
    assert lines[-1] == "the table"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor comes back"


def test_nothing_is_drawn_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Screen() as screen:
        screen.draw([("seed=1", RunDir(tmp_path))])
    assert capsys.readouterr().out == ""
