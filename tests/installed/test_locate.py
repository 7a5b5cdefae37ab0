"""A dotted name becomes the object that it names, or a fault; only code that is known is imported."""

from __future__ import annotations

import collections.abc
import json.decoder
import sys
from pathlib import Path

import pytest

from training_hub.errors import ConfigError
from training_hub.installed.locate import ALLOWED_VARIABLE, locate
from training_hub.launchers.base import Launcher
from training_hub.run import RunDir


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_VARIABLE, "json,collections,broken_module,no_such_package")


def test_a_class_of_the_project_is_found_whatever_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED_VARIABLE)
    assert locate("training_hub.launchers.base.Launcher") is Launcher


def test_a_class_of_an_allowed_package_is_found() -> None:
    assert locate("json.decoder.JSONDecoder") is json.decoder.JSONDecoder


def test_a_name_inside_a_class_is_found() -> None:
    assert locate("training_hub.launchers.base.Launcher.check") == Launcher.check


def test_a_name_that_a_package_passes_on_is_found() -> None:
    assert locate("json.JSONDecoder") is json.decoder.JSONDecoder


def test_a_name_that_is_resolved_when_it_is_first_used_is_found() -> None:
    assert locate("training_hub.RunDir") is RunDir


def test_a_name_in_an_inner_module_is_found() -> None:
    assert locate("collections.abc.Mapping") is collections.abc.Mapping


@pytest.mark.parametrize("target", ["no_such_package.Name", "json.no_such_module.Name", "json.decoder.Nothing", "json"])
def test_what_is_not_there_is_a_fault(target: str) -> None:
    with pytest.raises(ConfigError) as error:
        locate(target)
    assert str(error.value) == f"_target_={target}: no such class; give package.module.Class"


@pytest.mark.parametrize("target", ["", ".", "..json", " ", "json.", "json..decoder", "os;system", "a-b.C"])
def test_what_is_no_dotted_name_is_a_fault(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ("", ",", "json,"):
        monkeypatch.setenv(ALLOWED_VARIABLE, names)
        with pytest.raises(ConfigError) as error:
            locate(target)
        assert str(error.value) == f"_target_={target}: not a dotted name; give package.module.Class"


@pytest.mark.parametrize("target", ["os.system", "training_hub_evil.Name", "subprocess.Popen"])
def test_code_that_is_not_allowed_is_not_run(target: str) -> None:
    package = target.partition(".")[0]
    with pytest.raises(ConfigError) as error:
        locate(target)
    rule = f"code of {package} is not run from a config"
    assert str(error.value) == f"_target_={target}: {rule}; set TRAINING_HUB_TARGETS={package} if you trust it"


def test_a_module_that_misses_something_else_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text("import no_such_package_of_its_own\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_of_its_own"):
        locate("broken_module.Name")
    assert "broken_module" not in sys.modules
