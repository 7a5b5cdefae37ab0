"""`plot`: what is drawn of which runs, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.verbs.conftest import WriteRun
from training_hub import cli
from training_hub.cli import dispatch
from training_hub.errors import ConfigError
from training_hub.run import RunDir
from training_hub.sweep_dir import Job, SweepDir

PANELS = ["loss (nats)", "learning rate", "gradient norm", "tokens per second"]


def words_of(svg: Path) -> list[str]:
    """What is written in a picture; matplotlib notes each text beside its outline."""
    return re.findall(r"<!-- (.+?) -->", svg.read_text())


@pytest.fixture
def swept(write_run: WriteRun) -> SweepDir:
    """A sweep of three runs, of which one has not begun."""
    sweep = SweepDir("swept")
    sweep.path.mkdir()
    sweep.write([Job(str(n), f"lr={n},seed=1-abc", (), {"lr": str(n)}) for n in (1, 2, 3)], status="running")
    for number in (1, 2):
        write_run(f"swept/lr={number},seed=1-abc")
    return sweep


def test_a_sweep_is_drawn_with_what_differs_as_names(swept: SweepDir, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plot", "swept", "output_path=all.svg", "x=time", "y=[loss,lr,grad_norm,tokens_per_second]"]) == 0
    found = words_of(Path("all.svg"))
    assert [word for word in found if word in PANELS] == PANELS
    assert "seconds of training" in found
    assert {"lr=1", "lr=2", "lr=1, held-out rows"} <= set(found)
    assert capsys.readouterr() == ("all.svg\n", "left out, no metrics yet: lr=3\n")


def test_any_metric_is_drawn_with_its_values_on_held_out_rows(write_run: WriteRun) -> None:
    run = write_run("run")
    run.append_metrics(step=10, **{"rewards/margins": 0.5, "eval_rewards/margins": 0.25})
    assert cli.main(["plot", "run", "y=[rewards/margins,tokens,eval_loss]", "output_path=any.svg"]) == 0
    found = words_of(Path("any.svg"))
    assert {"rewards/margins", "tokens processed", "held-out loss (nats)", "held-out rows"} <= set(found)


def test_one_run_of_a_sweep_is_drawn_into_its_folder(swept: SweepDir) -> None:
    folder = "swept/lr=1,seed=1-abc"
    assert cli.main(["plot", folder, "ema_span=3"]) == 0
    assert Path(folder, "loss_plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_checkpoints_of_a_run_stand_for_the_run(write_run: WriteRun) -> None:
    write_run("run")
    assert cli.main(["plot", "run/checkpoints", "output_path=of.svg"]) == 0


def test_many_runs_have_their_names_beside_the_picture(write_run: WriteRun) -> None:
    for number in range(32):
        write_run(f"many/{number:02}", held_out=False)
    assert dispatch(["plot", "many", "output_path=many.svg"]) == 0
    assert "... and 2 more" in words_of(Path("many.svg"))


def test_whatever_a_folder_is_called_it_is_drawn_by_its_name(write_run: WriteRun) -> None:
    for name in (r"$\frac{$", "_hidden", "x" * 200, "\N{ROCKET}"):
        write_run(f"odd/{name}", held_out=False)
    assert dispatch(["plot", "odd", "output_path=odd.svg"]) == 0
    assert {r"$\frac{$", " _hidden", "x" * 57 + "..."} <= set(words_of(Path("odd.svg")))


REFUSED = {
    "nothing": ("", ["plot: needs folders of runs or sweeps; write plot DIR ..."]),
    "no folder": ("nix", ["nix: no such folder; give that of a run or of a sweep"]),
    "no run": (
        "model run", ["model: no metrics of a run in this folder; give that of a run or of a sweep"],
    ),
    "a run that has logged nothing": ("mute", ["mute: no metrics yet"]),
    "broken metrics": ("broken nix", [
        "{here}/broken/metrics.jsonl: line 1 cannot be read and is left out",
        "nix: no such folder; give that of a run or of a sweep",
    ]),
    "an axis that does not exist": ("run x=hours", [
        "x=hours: must be 'step', 'epoch', 'tokens', 'samples' or 'time'"
    ]),
    "what is not measured": ("further y=[loss,my/scor]", [
        "y=my/scor: no run has logged any; did you mean my/score? (step, loss, my/score)"
    ]),
    "what nobody has logged": ("bare y=lr", ["y=lr: no run has logged any; choose from (step, loss)"]),
    "an axis that nobody has logged": ("bare x=tokens", ["x=tokens: {here}/bare has logged none; choose another"]),
    "no kind of picture": ("run output_path=x.gif", ["output_path=x.gif: the name must end with .png or .svg"]),
    "nowhere to write": (
        "run output_path=/proc/x.png",
        ["output_path=/proc/x.png: cannot be written (No such file or directory); choose another"],
    ),
    "nothing to draw": ("run y=[]", ["y=[]: must have at least 1 item"]),
    "no place": ("run output_path=a/x.png", ["output_path=a/x.png: its folder does not exist"]),
    "too few labels": ("run bare labels=[a]", ["labels=['a']: 2 run directories need as many labels"]),
    "no span": ("run ema_span=0", ["ema_span=0: must be greater than 0"]),
    "misspelled": ("run emaspan=3", ["emaspan=3: no such setting; did you mean ema_span?"]),
}  # fmt: skip


@pytest.mark.parametrize(("typed", "faults"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused_in_a_line(
    write_run: WriteRun, here: Path, typed: str, faults: list[str]
) -> None:
    write_run("run")
    write_run("mute", rows=0)
    write_run("broken").metrics.write_text("{}}\n")
    bare = RunDir(write_run("bare", rows=0).path)
    bare.append_metrics(step=1, loss=1.0)
    write_run("further", rows=0).append_metrics(step=1, loss=1.0, **{"my/score": 1.0})
    with pytest.raises(ConfigError) as caught:
        dispatch(["plot", *typed.split()])
    assert list(caught.value.faults) == [text.format(here=here) for text in faults]
    assert not list(here.glob("**/*.png"))
