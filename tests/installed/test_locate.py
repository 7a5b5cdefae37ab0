"""A dotted name becomes the class that it names, or a fault; what was found decides, not how it was reached."""

from __future__ import annotations

import importlib
import json.decoder
import pkgutil
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import training_hub
from training_hub.errors import ConfigError
from training_hub.installed import locate
from training_hub.installed.locate import CALLBACK, LAUNCHER, LOGGER, find_class, find_function
from training_hub.installed.trust import ALLOWED_VARIABLE
from training_hub.launchers.local import LocalLauncher

DECODER = "json.decoder.JSONDecoder"


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_VARIABLE, "json,broken_module,no_such_package,hub_test_doors")


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: None) -> Path:
    """A trusted package that brings much along; returns the file that appears where something is called."""
    canary = tmp_path / "canary"
    write = f"open({str(canary)!r}, 'w').close()"
    (tmp_path / "hub_test_stranger.py").write_text(
        f"from training_hub.callbacks import TrainingHubCallback\nclass Found(TrainingHubCallback):\n    pass\n"
        f"class Meta(type):\n    def __call__(cls, *a, **k): {write}\nclass Called(metaclass=Meta): pass\n"
    )
    (tmp_path / "hub_test_doors.py").write_text(
        "import functools, os, subprocess, types\nimport hub_test_stranger\n"
        "from hub_test_stranger import Called, Found\nfrom training_hub.callbacks import TrainingHubCallback\n"
        "class Mine(TrainingHubCallback):\n    class Inner(TrainingHubCallback): pass\n"
        "    stranger = hub_test_stranger\n"
        "class Other:\n"
        f"    def __init__(self): {write}\n"
        "class Meta(type):\n"
        f"    def __call__(cls, *a, **k): {write}\n"
        f"    def __getattr__(cls, name): {write}\n"
        "class Strange(metaclass=Meta): pass\n"
        f"def function(*a, **k): {write}\n"
        "partial = functools.partial(function)\n"
        "instance = Mine()\n"
        "alias = types.GenericAlias(Mine, int)\n"
        "system = os.system\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return canary


def test_a_class_of_the_project_is_found_whatever_is_allowed() -> None:
    assert find_class("training_hub.launchers.local.LocalLauncher", LAUNCHER) is LocalLauncher
    with pytest.raises(ConfigError, match="is abstract"):
        find_class("training_hub.interfaces.launcher.Launcher", LAUNCHER)


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("target", [DECODER, "json.JSONDecoder"])
def test_a_class_of_an_allowed_package_is_found_also_where_it_is_passed_on(target: str) -> None:
    assert find_class(target, DECODER) is json.decoder.JSONDecoder


def test_a_name_that_is_resolved_when_it_is_first_used_is_found() -> None:
    assert find_class("training_hub.EarlyStopping", CALLBACK).__name__ == "EarlyStopping"


@pytest.mark.usefixtures("doors")
def test_a_class_in_a_class_is_found() -> None:
    assert find_class("hub_test_doors.Mine.Inner", CALLBACK).__qualname__ == "Mine.Inner"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("target", ["no_such_package.Name", "json.no_such_module.Name", "json.decoder.Nothing", "json"])
def test_what_is_not_there_is_a_fault(target: str) -> None:
    with pytest.raises(ConfigError) as error:
        find_class(target, DECODER)
    assert str(error.value) == f"_target_={target}: no such class; give package.module.Class"


@pytest.mark.parametrize("target", ["", ".", "..json", " ", "json.", "json..decoder", "os;system", "a-b.C"])
def test_what_is_no_dotted_name_is_a_fault(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ("", ",", "json,"):
        monkeypatch.setenv(ALLOWED_VARIABLE, names)
        with pytest.raises(ConfigError) as error:
            find_class(target, DECODER)
        assert str(error.value) == f"_target_={target}: not a dotted name; give package.module.Class"


@pytest.mark.parametrize("target", ["os.system", "training_hub_evil.Name", "subprocess.Popen", "jso.n"])
def test_code_that_is_not_allowed_is_not_run(target: str) -> None:
    package = target.partition(".")[0]
    with pytest.raises(ConfigError) as error:
        find_class(target, CALLBACK)
    rule = f"code of {package} is not run from a config"
    assert str(error.value) == f"_target_={target}: {rule}; set TRAINING_HUB_TARGETS={package} if you trust it"


def test_a_part_of_a_package_may_be_allowed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_VARIABLE, "json.decoder")
    assert find_class(DECODER, DECODER) is json.decoder.JSONDecoder
    with pytest.raises(ConfigError, match="code of json is not run"):
        find_class("json.encoder.JSONEncoder", DECODER)


@pytest.mark.parametrize(
    "target",
    [
        "training_hub.cli.os.system", "training_hub.cli.os", "training_hub.cli.main", "training_hub.cli",
        "training_hub.run.shutil.rmtree", "training_hub.errors.difflib.SequenceMatcher", "training_hub.run.RunDir",
        "training_hub.cli.partial", "training_hub.cli.import_module", "training_hub.run.Path",
        "training_hub.machine.processes.kill_marked", "training_hub.launchers.local.LocalLauncher.check",
        "training_hub.launchers.local.LocalLauncher.__init__", "training_hub.callbacks.TrainingHubCallback.__class__",
        "training_hub.callbacks.TrainingHubCallback.__dict__", "training_hub.callbacks.__builtins__.exec",
        "training_hub.callbacks.__loader__.load_module", "training_hub.params.BaseModel",
    ],
)  # fmt: skip
def test_what_our_modules_bring_along_is_not_ours(target: str) -> None:
    for kind in (CALLBACK, LOGGER):
        with pytest.raises(ConfigError, match=r"no such class|no training_hub|is not run from a config"):
            find_class(target, kind)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Other", "no training_hub.TrainingHubCallback; derive it from that"),
        ("Strange", "no training_hub.TrainingHubCallback"),
        ("Strange.anything", "no such class"),
        ("Called", "code of hub_test_stranger is not run from a config"),
        ("Found", "code of hub_test_stranger is not run from a config; set TRAINING_HUB_TARGETS=hub_test_stranger"),
        ("hub_test_stranger.Found", "no such class"),
        ("Mine.stranger.Found", "no such class"),
        ("function", "no training_hub.TrainingHubCallback"),
        ("partial", "no such class"),
        ("instance", "no such class"),
        ("alias", "no such class"),
        ("system", "no such class"),
        ("os.system", "no such class"),
        ("subprocess.Popen", "no such class"),
    ],
)
def test_nothing_is_called_to_find_out_what_it_is(name: str, message: str, doors: Path) -> None:
    with pytest.raises(ConfigError) as error:
        find_class(f"hub_test_doors.{name}", CALLBACK)
    assert str(error.value).startswith(f"_target_=hub_test_doors.{name}: {message}")
    assert not doors.exists()


@pytest.mark.parametrize("name", ["partial", "system", "Other", "Strange", "os.system", "Mine.on_train_end", "Found"])
def test_a_worker_is_a_function_of_trusted_code(name: str, doors: Path) -> None:
    with pytest.raises(ConfigError):
        find_function(f"hub_test_doors.{name}", 2)
    assert find_function("hub_test_doors.function", 2).__name__ == "function"
    with pytest.raises(ConfigError, match="no function of 3 arguments"):
        find_function("json.dumps", 3)
    with pytest.raises(ConfigError, match="not a worker of this package"):
        find_function("training_hub.run.write_atomically", 3)
    assert not doors.exists()


def test_a_module_that_misses_something_else_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: None
) -> None:
    (tmp_path / "broken_module.py").write_text("import no_such_package_of_its_own\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_of_its_own"):
        find_class("broken_module.Name", CALLBACK)
    assert "broken_module" not in sys.modules


_FRONT = ("cli", "config", "errors", "installed", "launchers", "loggers", "params", "run", "train", "callbacks")
_MODULES = [
    each.name for each in pkgutil.walk_packages(training_hub.__path__, "training_hub.")
    if each.name.split(".")[1] in _FRONT
]  # fmt: skip
_KINDS = sorted({value for name, value in vars(locate).items() if name.isupper() and str(value).startswith("training")})


@settings(max_examples=100, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_is_walked_to_below_our_package_is_of_the_kind_or_refused(seed: int) -> None:
    """Dotted paths through what is really there, attribute by attribute: none gives anything else."""
    draw = random.Random(seed)
    path = draw.choice(_MODULES)
    found: object = importlib.import_module(path)
    kind = draw.choice(_KINDS)
    for _ in range(draw.randint(1, 4)):
        name = draw.choice([*dir(found), "nothing"])
        found, path = getattr(found, name, None), f"{path}.{name}"
    try:
        answer = find_class(path, kind)
    except ConfigError:
        return
    assert isinstance(answer, type)
    assert answer.__module__.startswith("training_hub.")
    assert kind in {f"{each.__module__}.{each.__qualname__}" for each in answer.__mro__}
