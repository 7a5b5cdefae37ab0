"""`--config-dir`: what Hydra would pass over in such a folder is refused; its path may be any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from training_hub.cli import main
from training_hub.config.groups import CONF
from training_hub.train import composed

SETTINGS = "# @package _global_\nlr: 0.125\n"
Make = Callable[..., str]
Said = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a folder with config files, and gives its name back."""
    monkeypatch.chdir(tmp_path)

    def make(*files: str, name: str = "own", content: str = SETTINGS) -> str:
        for file in files:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(content)
        return name

    return make


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Said:
    """What is said of a command, which must be refused."""

    def said(*words: str) -> list[str]:
        assert main(["explain", *words]) == 2
        return capsys.readouterr().err.splitlines()

    return said


@pytest.mark.parametrize(
    "name",
    [
        "jörg's [x]=1, #2",
        "a,b",
        'quo"te',
        "{braces}",
        "$HOME",
        "${lr}",
        "a=b",
        " spaces ",
        "日本",
        "back\\slash",
        "a:b",
    ],
)
def test_a_folder_may_have_any_name(folder: Make, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder("experiment/mine.yaml", name=f"{name}/conf")
    path = Path(name, "conf").absolute()
    assert main(["explain", f"--config-dir={path}", "experiment=mine"]) == 0
    assert "0.125" in capsys.readouterr().out


@pytest.mark.parametrize(
    "entry",
    [
        "algorithm/sft.yaml", "backend/trl.yaml", "recipe/sft/trl.yaml", "experiment/quickstart.yaml",
        "model/auto.yaml", "logger/wandb.yaml", "params.yaml", "train.yaml", "algorithm/sft.yml", "data/auto.YAML",
    ],
)  # fmt: skip
def test_an_option_that_is_there_already_is_refused(folder: Make, refused: Said, entry: str) -> None:
    shipped = CONF / Path(entry).with_suffix(".yaml")
    (line,) = refused("--config-dir", folder("experiment/mine.yaml", entry))
    assert line == f"--config-dir=own: {entry} is hidden by {shipped}; rename it"


@pytest.mark.parametrize("entry", ["hydra/launcher/basic", "hydra/job_logging/none"])
def test_an_option_of_hydras_own_is_one_too(folder: Make, refused: Said, entry: str) -> None:
    (line,) = refused("--config-dir", folder(f"{entry}.yaml"))
    assert line.startswith(f"--config-dir=own: {entry}.yaml is hidden by {entry}")


def test_a_link_to_nothing_hides_as_well(folder: Make, refused: Said) -> None:
    folder("experiment/mine.yaml", "algorithm/new.yaml")
    Path("own/algorithm/sft.yaml").symlink_to("nothing")
    (line,) = refused("--config-dir=own")
    assert line.startswith("--config-dir=own: algorithm/sft.yaml is hidden by ")


def test_two_folders_with_one_option_are_refused(folder: Make, refused: Said) -> None:
    folder("experiment/team/mine.yaml"), folder("experiment/team/mine.yaml", name="other")
    (line,) = refused("--config-dir=own", "--config-dir=other", "experiment=team/mine")
    entry = "experiment/team/mine.yaml"
    assert line == f"--config-dir=other: {entry} is hidden by own/{entry}; rename it"


def test_two_files_of_one_name_are_refused(folder: Make, refused: Said) -> None:
    (line,) = refused("--config-dir", folder("experiment/mine.yaml", "experiment/mine.yml"), "experiment=mine")
    assert line == "--config-dir=own: experiment/mine.yml is hidden by own/experiment/mine.yaml; rename it"


def test_two_folders_with_other_options_are_read(folder: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder("experiment/one.yaml"), folder("experiment/two.yaml", name="other")
    assert main(["explain", "--config-dir=own", "--config-dir=other", "experiment=two"]) == 0
    assert main(["--cfg", "job", "--config-dir=own", "--config-dir=other", "experiment=one"]) == 0
    assert "lr: 0.125" in capsys.readouterr().out


def test_options_behind_links_to_folders_are_found(folder: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder("mine.yaml", name="shared"), folder("experiment/one.yaml")
    Path("own/experiment/team").symlink_to(Path("shared").absolute())
    Path("own/experiment/again").symlink_to(Path("own").absolute())
    assert main(["explain", "--config-dir=own", "experiment=team/mine"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config-dir"], "--config-dir: is the last word, without its value; add it"),
        (["--config-dir="], "--config-dir=: names no folder; add one"),
        (["--config-dir", ""], "--config-dir=: names no folder; add one"),
        (["--config-dir=nix"], "--config-dir=nix: no such folder"),
        (["--config-dir=" + "n" * 300], f"--config-dir={'n' * 300}: no such folder"),
        (["--config-dir=file"], "--config-dir=file: a file; give a folder with config groups"),
        (["--config-dir=loop"], "--config-dir=loop: a broken link"),
        (["--config-dir=own,own"], "--config-dir=own,own: no such folder; write --config-dir=own --config-dir=own"),
        (["--config-dir=own", "--config-dir=./own/"], "--config-dir=./own/: is given twice; drop it"),
        ([f"--config-dir={CONF}"], f"--config-dir={CONF}: comes with training_hub; drop it"),
        (
            ["--config-dir=own/experiment"],
            "--config-dir=own/experiment: holds no option of a config group; put one below it, such as "
            "own/experiment/experiment/NAME.yaml",
        ),
    ],
)
def test_what_is_no_folder_to_look_into_is_refused(folder: Make, refused: Said, words: list[str], said: str) -> None:
    folder("experiment/team/mine.yaml")
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    assert refused(*words) == [said]


def test_an_option_that_hydra_does_not_read_is_no_option(folder: Make, refused: Said) -> None:
    folder("experiment/one.yml", "experiment/five/six.yaml", "experiment/seven.json")
    Path("own/experiment/two.yaml").symlink_to("nothing")
    Path("own/experiment/three.yaml").mkdir()
    ways = {
        "one": "own/experiment/one.yml is not read; rename it to one.yaml",
        "two": "own/experiment/two.yaml is a broken link",
        "three": "own/experiment/three.yaml is no file",
        "seven": "own/experiment/seven.json is not read; rename it to seven.yaml",
        "five": "did you mean five/six?",
    }
    for name, way in ways.items():
        (line,) = refused("--config-dir=own", f"experiment={name}")
        assert line == f"experiment={name}: no such option; {way}"


@pytest.mark.parametrize("name", ["jörg", "日本", "a#b", "tilde~", "an & ampersand"])
def test_a_path_with_any_letter_needs_no_quotes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", f"data_path=/x/{name}/rows.jsonl"]) == 0
    assert f"/x/{name}/rows.jsonl" in capsys.readouterr().out
    assert main(["explain", "-m", f"data_path=/x/{name}/rows.jsonl", "seed=1,2"]) == 0
    assert capsys.readouterr().out.count("# run ") == 2


def test_a_home_that_looks_like_a_reference_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "a ${lr} b"))
    cfg = composed(["data_path=~/rows.jsonl", "output_dir=~/run"]).cfg
    assert (cfg.data_path, cfg.output_dir) == (f"{tmp_path}/a ${{lr}} b/rows.jsonl", f"{tmp_path}/a ${{lr}} b/run")
