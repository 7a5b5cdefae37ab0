"""Loss plots of one run and of several."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from training_hub import ConfigError, plot_loss
from training_hub.results.drawing import smoothed
from training_hub.run import RunDir


def a_run(folder: Path, losses: list[float]) -> str:
    folder.mkdir()
    run = RunDir(folder)
    for step, loss in enumerate(losses, start=1):
        run.append_metrics(step=step, loss=loss)
    run.append_metrics(step=len(losses), eval_loss=losses[-1])
    return str(folder)


def test_one_run_is_drawn_into_its_folder(tmp_path: Path) -> None:
    path = plot_loss(a_run(tmp_path / "a", [3, 2, 1]))
    assert path == str(tmp_path / "a" / "loss_plot.png")
    assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_a_short_run_has_whole_steps_and_visible_points(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / "short", [3, 2]), a_run(tmp_path / "long", [3.0] * 40)]
    short, long = (Path(plot_loss(run, output_path=f"{run}.svg")).read_text() for run in runs)
    steps = re.findall(r"<!-- ([\d.]+) -->", short.partition("matplotlib.axis_2")[0])
    assert steps
    assert all(each in ("1", "2") for each in steps)
    with_points = r'<g clip-path="[^"]+">\s*<use'  # one more is the held-out rows'
    assert [len(re.findall(with_points, text)) for text in (short, long)] == [2, 1]


def test_several_runs_are_drawn_with_labels_as_svg(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / "a", [3, 2, 1]), a_run(tmp_path / "b", [3, 2.5])]
    path = plot_loss(runs, labels=["A", "B"], ema=True, output_path=str(tmp_path / "both.svg"))
    assert Path(path).read_text().startswith("<?xml")


def test_folders_without_metrics_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        plot_loss([a_run(tmp_path / "a", [1]), str(tmp_path / "empty"), str(tmp_path / "nix")])
    assert [text.split(":")[0].rpartition("/")[2] for text in caught.value.faults] == ["empty", "nix"]


def test_labels_must_be_as_many_as_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 run directories need as many labels"):
        plot_loss(a_run(tmp_path / "a", [1]), labels=["A", "B"])


def test_the_average_starts_at_the_first_value_and_follows() -> None:
    assert smoothed([(1, 4.0), (2, 4.0)], span=30) == [(1, 4.0), (2, 4.0)]
    assert smoothed([(1, 0.0), (2, 3.0)], span=3)[1][1] == pytest.approx(2.0)


def test_a_folder_may_be_a_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ckpt_output_dirs="):
        plot_loss(tmp_path)


def logged(folder: Path, *rows: dict[str, object], name: str = "training_metrics.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_every_path_may_be_a_path(tmp_path: Path) -> None:
    a_run(tmp_path / "a", [3, 2])
    assert plot_loss(tmp_path / "a", output_path=tmp_path / "x.svg") == str(tmp_path / "x.svg")
    assert plot_loss([tmp_path / "a"]) == str(tmp_path / "a" / "loss_plot.png")


def axis(picture: str) -> set[str]:
    return set(re.findall(r"<!-- (.+?) -->", Path(picture).read_text()))


def test_the_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = logged(tmp_path / "out", {"step": 1, "loss": 1.0})
    logged(folder, {"step": 70, "loss": 3.0}, {"step": 71, "loss": 2.0}, name="other.jsonl")
    monkeypatch.chdir(tmp_path)
    files: list[str | Path] = ["other.jsonl", folder / "other.jsonl", "out/other.jsonl"]
    for number, file in enumerate(files):
        assert {"70", "71"} <= axis(plot_loss(folder, metrics_file=file, output_path=f"{number}.svg"))
    with pytest.raises(ConfigError, match=r"^metrics_file=nix.jsonl: there is no such file in .*out; check the name$"):
        plot_loss(folder, metrics_file="nix.jsonl")


def test_the_keys_of_the_loss_may_be_named(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"step": 1, "avg_loss": 9.0, "my": 3.0}, {"step": 2, "avg_loss": 9.0, "mine": 2.0}]
    folder, place = logged(tmp_path / "out", *rows), str(tmp_path / "x.svg")
    assert {"my"} <= axis(plot_loss(folder, metric_keys=["my", "mine"], output_path=place))
    assert {"avg_loss"} <= axis(plot_loss(folder, metric_keys=["avg_loss"], output_path=place))
    assert {"mine"} <= axis(plot_loss(folder, metric_keys="mine", output_path=place))
    a_run(tmp_path / "ours", [3, 2])
    assert {"avg_loss"} <= axis(plot_loss(tmp_path / "ours", metric_keys=["avg_loss", "loss"], output_path=place))
    with pytest.raises(ConfigError, match=r"^metric_keys=nix,nox: no run has logged any; choose from \(step, loss, "):
        plot_loss(folder, metric_keys=["nix", "nox"])
    with pytest.raises(ConfigError, match=r"^metric_keys=\[\]: names nothing to draw"):
        plot_loss(folder, metric_keys=[])


def test_a_picture_is_shown_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from matplotlib import pyplot

    monkeypatch.setenv("MPLBACKEND", "agg")
    pyplot.switch_backend("agg")
    folder = logged(tmp_path / "out", {"step": 1, "loss": 1.0})
    monkeypatch.delenv("DISPLAY", raising=False)
    path = plot_loss(folder, show=True)
    assert Path(path).is_file()
    assert capsys.readouterr().err == f"not shown, there is no screen: {path}\n"
    shown: list[list[int]] = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.get_fignums()))
    plot_loss(folder, show=True)
    assert [len(each) for each in shown] == [1]
    assert pyplot.get_fignums() == []
