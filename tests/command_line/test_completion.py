"""Tab completion in a real bash, of `training-hub` and of `python -m training_hub`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CHECKOUT
from tests.verbs.conftest import WriteRun, write_run  # noqa: F401  a fixture
from training_hub.cli import main
from training_hub.verbs.completion.query import replies

# Does what bash does for a Tab at the end of each line; what it would insert is printed.
TABS = """
eval "$($PYTHON -m training_hub completion bash)"
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
    read -ra COMP_WORDS <<< "$line"
    $(complete -p "${COMP_WORDS[0]##*/}" | sed 's/.*-F \\([^ ]*\\) .*/\\1/') 2> /dev/null
    echo "${COMPREPLY[*]}"
done
"""


def tabs(folder: Path, *lines: str) -> list[str]:
    """What bash would insert after each line."""
    env = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": CHECKOUT}
    done = subprocess.run(
        ["bash", "--norc", "-c", TABS], input="\n".join(lines) + "\n", cwd=folder, env=env,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_bash_completes_both_commands(tmp_path: Path) -> None:
    python = f"{sys.executable} -m training_hub"
    found = tabs(
        tmp_path,
        f"{python} pla",
        f"{python} plan algorithm=lora",
        f"{sys.executable} -W error -m training_hub logs --f",
    )
    assert found == ["plan", "lora_sft", "--follow"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("inter", ["interpolate"]),
        ("logs -", ["-f", "--follow", "-n", "--lines", "--help", "--debug", "--version"]),
        ("plan algorithm=os", ["osft"]),
        ("-m algorithm=sft,os", ["sft,osft"]),
        ("logger=[jsonl,wan", ["[jsonl,wandb"]),
        ("plan ckpt", ["ckpt_output_dir="]),
        ("plan packing=", ["true", "false"]),
        ("plan algorithm=lora_sft lora_r", ["lora_r="]),
        ("plan algorithm=sft lora_r", []),
        ("plan lr=1 lr", ["lr_scheduler=", "lr_scheduler_kwargs="]),
        ("plan recipe.optim_a", ["recipe.optim_args="]),
        ("-m jo", ["jobs="]),
        ("validate ro", ["rows="]),
        ("export x dtype=b", ["bfloat16"]),
        ("--cfg h", ["hydra"]),
        ("env create uns", ["unsloth"]),
        ("nonsense lr", []),
        ("plan data_path='a", ["a b/"]),
        ('plan data_path="./a', ["./a b/"]),
        ("plan data_path=a\\ ", ["a\\ b/"]),
        ("plan data_path=r", ["rows.jsonl", "run/"]),
        ("status r", ["run/"]),
        ("resume ", ["a\\ b/", "run/"]),
    ],
)
def test_what_may_stand_there(
    line: str,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_run: WriteRun,  # noqa: F811
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("run")
    (tmp_path / "a b").mkdir()
    (tmp_path / "rows.jsonl").touch()
    (tmp_path / ".hidden").touch()
    found = replies(f"training-hub {line}", "=:")
    assert (
        sorted(found) == sorted(expected)
        if not line.startswith(("plan lr", "plan packing"))
        else set(expected) <= set(found)
    )


def test_the_word_stays_whole_where_bash_does_not_break_it() -> None:
    assert replies("training-hub plan algorithm=os", " ") == ["algorithm=osft"]


def test_a_shell_without_a_script_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bahs"]) == 2
    assert main(["completion", "tcsh"]) == 2
    assert main(["completion"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "completion bahs: no script for this shell; did you mean bash?",
        "completion tcsh: no script for this shell; choose from bash",
        "completion: needs the name of a shell: bash; write completion SHELL",
    ]
