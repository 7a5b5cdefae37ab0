"""README and docs: made parts are up to date, links lead somewhere, commands compose, examples run."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import EXTENSION
from training_hub import cli, train
from training_hub.command_line import finding, flags
from training_hub.command_line.settings import call_of
from training_hub.config import choices, groups
from training_hub.config.check import check
from training_hub.config.overrides import override_texts
from training_hub.params import TorchrunParams
from training_hub.registry import AlgorithmRegistry
from training_hub.sweeps.expand import read

ROOT = Path(__file__).parent.parent
SITE = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "examples").rglob("*.md")), *SITE]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
COMMAND = re.compile(r"(?:^|\s|\()(?:\S*python -m training_hub|training-hub)(?=\s|$)(?P<words>[^#`]*)")
MAKE = re.compile(r"^make (?P<target>\w+)(?: ARGS=\"(?P<words>.*?)\")?")
FILE = re.compile(r"^# (?P<path>[\w./-]+/[\w.-]+\.(?:py|yaml))$")
SHOWN_ONLY = {"--help", "--version", "--cfg"}  # these print, and are run as they are
Put = Callable[[Path], None]


def tokens(page: Path) -> list[Token]:
    """The blocks of a page, and what is inside its lines."""
    parsed = MarkdownIt().enable("table").parse(page.read_text())
    return [each for block in parsed for each in (block, *(block.children or ()))]


def fences(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page in these languages, in all where none is named."""
    found = [each for each in tokens(page) if each.type == "fence"]
    return [each.content for each in found if not languages or each.info in languages]


def shown_files(page: Path) -> dict[str, str]:
    """Code blocks that are files: a comment in their first or second line is the path."""
    found = {}
    for block in fences(page, "python", "yaml"):
        for line in block.splitlines()[:2]:
            if match := FILE.match(line):
                found[match["path"]] = block
    return found


def shown(page: Path) -> list[str]:
    """The Python files that a page shows."""
    return [block for path, block in shown_files(page).items() if path.endswith(".py")]


def commands(page: Path) -> list[list[str]]:
    """Every command line of the program on a page, its words; `...` stands for further settings."""
    lines = [line for block in fences(page) for line in block.replace("\\\n", " ").splitlines()]
    lines += [each.content for each in tokens(page) if each.type == "code_inline"]
    lines = [line for line in lines if "…" not in line]  # a message with gaps, which names a command
    texts = [match["words"].removesuffix(')"') for line in lines for match in COMMAND.finditer(line)]
    texts += [
        f"experiment=quickstart {match['words'] or ''}"
        for line in lines
        if (match := MAKE.match(line)) and match["target"] == "quickstart"
    ]
    return [[word for word in shlex.split(text) if word != "..."] for text in texts]


def jobs(words: list[str]) -> list[list[str]]:
    """The runs that a command starts: several for a sweep."""
    if not {"-m", "--multirun"} & set(words):
        return [words]
    settings = [word for word in words if word not in ("-m", "--multirun")]
    asked = read(settings)
    return asked.samples()[:1] if asked.plugin else asked.jobs()


@cache
def status_of(words: tuple[str, ...], conf: Path) -> int:
    """Exit status of a command that prints, else of `explain` with its settings: they compose, and have no fault.

    conf: the folder of configs that it sees; the same command stands on many pages.
    """
    if SHOWN_ONLY & set(words):
        return cli.main(words)
    line = flags.split(words)
    verb = finding.load(line.verb or finding.DEFAULT)
    call = call_of(line.verb or finding.DEFAULT, verb, line)  # raises where the words ask for nothing that can be done
    if not verb.overrides:
        return 0
    runs = jobs([*(["-m"] if call.sweep else []), *call.overrides])
    config_dirs = [word for each in call.config_dirs for word in ("--config-dir", each)]
    return max(cli.main(["explain", *job, *config_dirs]) for job in runs)


@pytest.fixture
def with_shown_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Put]:
    """A function that puts the files that a page shows where it says they belong, for the rest of the test."""

    def put(page: Path) -> None:
        if "anchored_sft" in page.read_text():
            monkeypatch.syspath_prepend(str(request.getfixturevalue("extension")))
        write(page, tmp_path)
        monkeypatch.chdir(tmp_path)
        if not (tmp_path / "conf").exists():
            return
        shutil.copytree(groups.CONF, tmp_path / "conf", dirs_exist_ok=True)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(groups, "CONF", tmp_path / "conf")
        for name in ("algorithms", "backends", "workers"):
            package = importlib.import_module(f"training_hub.{name}")
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "training_hub" / name)])

    yield put
    for name, module in list(sys.modules.items()):
        if name.startswith("training_hub.") and Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


def write(page: Path, folder: Path) -> None:
    """Write the files that a page shows."""
    for path, content in shown_files(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What the scripts make now, in a process that has registered nothing."""
    code = (
        "import json, parameter_reference, support_matrix\n"
        "pages = [[str(page), support_matrix.updated(page.read_text())] for page in support_matrix.PAGES]\n"
        "print(json.dumps(dict([*pages, ['reference', parameter_reference.page()]])))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_the_reference_page_is_what_the_script_makes(made: dict[str, str]) -> None:
    assert (ROOT / "docs" / "reference" / "parameters.md").read_text() == made["reference"]


def test_the_support_matrix_is_what_the_script_makes(made: dict[str, str]) -> None:
    pages = {name: text for name, text in made.items() if name != "reference"}
    assert {name: Path(name).read_text() for name in pages} == pages
    assert len(pages) == 2


def test_the_reference_page_names_every_parameter_of_every_recipe(made: dict[str, str]) -> None:
    for recipe in (groups.CONF / "recipe").glob("*/*.yaml"):
        for name in re.findall(r"\$\{(\w+)\}", recipe.read_text()):
            assert f"| `{name}`" in made["reference"] or name in groups.GROUPS, (recipe, name)


@every_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for each in tokens(page):
        target = str(each.attrGet("href") or "")
        if each.type != "link_open" or re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_names_that_settings_have_here_exist() -> None:
    """In the tables for those who come from other tools: a setting in the last column is a parameter or in a group."""
    blocks = MarkdownIt().enable("table").parse((ROOT / "docs" / "guides" / "coming-from.md").read_text())
    last = [blocks[number - 2] for number, each in enumerate(blocks) if each.type == "tr_close"]
    codes = [child.content for cell in last for child in cell.children or () if child.type == "code_inline"]
    named = [word for code in codes if "training_hub" not in code for word in code.split()]
    owners = [AlgorithmRegistry.get_algorithm(each).Params for each in choices.options("algorithm")]  # type: ignore[attr-defined]
    known = {name for owner in (*owners, TorchrunParams) for name in owner.model_fields} | groups.GROUPS
    strange = [word for word in named if re.match(r"[a-z_.]+=", word) and re.split(r"[.=]", word)[0] not in known]
    assert strange == []
    assert len(named) > 100
    for word in sorted({each for each in named if re.fullmatch(r"[a-z]+\.[a-z_]+=\S+", each) and "FILE" not in each}):
        assert cli.main(["explain", word]) == 0


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    project = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    listed = [path for section in project["nav"] for pages in section.values() for path in pages]
    assert sorted(listed) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in SITE)


@pytest.mark.needs("zensical")
@pytest.mark.parametrize("link", ["[x](nowhere.md)", "[x](install.md#nowhere)"])
def test_a_link_that_leads_nowhere_ends_the_build_of_the_site(link: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    build = [sys.executable, "-m", "zensical", "build", "--strict"]
    with (tmp_path / "docs" / "index.md").open("a") as page:
        print(link, file=page)
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "1 issue found" in done.stdout + done.stderr


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    blocks = MarkdownIt().parse(page.read_text())
    titles = [text.content for head, text in pairwise(blocks) if head.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_every_command_composes(
    page: Path, with_shown_files: Put, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {tuple(words) for words, _ in refusals(page)}
    with_shown_files(page)
    for words in commands(page):
        monkeypatch.setattr(sys, "argv", ["training-hub", *words])
        status = status_of(tuple(words), groups.CONF)
        assert (status == 0) != (tuple(words) in refused), (words, capsys.readouterr().err)


def refusals(page: Path) -> list[tuple[list[str], str]]:
    """Commands that are shown with their error messages."""
    blocks = [block.partition("\n") for block in fences(page, "console")]
    return [(shlex.split(line.partition("training_hub")[2]), answer) for line, _, answer in blocks]


@every_page
def test_every_error_is_the_one_that_is_shown(
    page: Path, with_shown_files: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    with_shown_files(page)
    for words, answer in refusals(page):
        assert cli.main(words) == 2
        assert capsys.readouterr().err == answer


def test_no_command_was_overlooked() -> None:
    """The pages together have many commands, so that a change of their form cannot empty the tests above."""
    found = {name_of(page): len(commands(page)) for page in PAGES}
    assert found["README.md"] >= 5
    assert min(found[f"docs/guides/{name}.md"] for name in ("slurm", "sweeps", "resume")) >= 4
    assert sum(found.values()) >= 30
    assert sum(len(refusals(page)) for page in PAGES) >= 3


@every_page
def test_every_target_of_make_exists(page: Path) -> None:
    there = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for block in fences(page, "bash") for line in block.splitlines()]
    assert {match["target"] for line in lines if (match := MAKE.match(line))} <= there


@every_page
def test_every_call_of_a_training_function_has_parameters_that_exist(page: Path) -> None:
    for block in fences(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in choices.options("algorithm")
            ):
                given = {str(each.arg): ast.literal_eval(each.value) for each in node.keywords if each.arg != "backend"}
                composition = train.composed([f"algorithm={node.func.id}", *override_texts(given, groups.GROUPS)])
                assert check(composition, allow_missing=True) == []


@pytest.mark.parametrize("page", [page for page in GUIDES if fences(page, "python") != shown(page)], ids=name_of)
def test_the_examples_from_python_run(page: Path) -> None:
    code = "\n".join(block for block in fences(page, "python") if block not in shown(page))
    assert "assert " in code
    run([sys.executable, "-W", "error", "-c", code], ROOT)


def test_the_guide_to_extensions_shows_the_files_of_the_example() -> None:
    for path, content in shown_files(ROOT / "docs" / "guides" / "extend.md").items():
        assert (EXTENSION / path).read_text() == content


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "trl")
@pytest.mark.parametrize(
    ("guide", "words", "row"),
    [
        ("add-an-algorithm", ["algorithm=cpt", "block_size=16"], {"document": "one two three four"}),
        (
            "add-a-backend",
            ["backend=plain"],
            {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two three"}]},
        ),
    ],
)
def test_what_a_guide_adds_to_the_repository_trains(
    guide: str, words: Sequence[str], row: dict[str, object], tiny: Path, tmp_path: Path
) -> None:
    for name in ("training_hub", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    write(ROOT / "docs" / "guides" / f"{guide}.md", tmp_path)
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row)}\n" * 16)
    settings = [f"model_path={tiny}", "data_path=rows.jsonl", "output_dir=run", "max_seq_len=32", "lr=1e-2"]
    run([sys.executable, "-m", "training_hub", *settings, "effective_batch_size=2", *words], tmp_path)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["metrics"]["steps"] >= 2
    assert result["metrics"]["final_loss"] < result["metrics"]["first_loss"]


def run(command: Sequence[str], folder: Path) -> None:
    """Run a command to its good end; what it printed is the message where it ends badly."""
    env = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
