"""A process without a name, without a home, or with one that cannot be written."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from training_hub import user
from training_hub.data.place import cache_folder
from training_hub.installed import environments
from training_hub.model_files import hub_cache


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry in the list of users, no variables, and folders for temporary files that are the test's own."""

    def no_entry(*_: object) -> None:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("pwd.getpwuid", no_entry)
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_user_without_a_name_has_a_number() -> None:
    assert user.name() == f"uid{os.getuid()}"


def test_libraries_are_told_a_name_and_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"PATH": "/bin"}
    user.complete(environment)
    place = tmp_path / f"training_hub-{os.getuid()}"
    assert environment == {"PATH": "/bin", "LOGNAME": user.name(), "USER": user.name(), "HOME": str(place)}
    assert place.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "environ", environment)
    assert getpass.getuser() == user.name()


def test_a_home_that_does_not_exist_is_replaced(tmp_path: Path) -> None:
    environment = {"USER": "me", "HOME": "/nonexistent"}
    user.complete(environment)
    assert environment == {"USER": "me", "HOME": str(tmp_path / f"training_hub-{os.getuid()}")}


def test_a_home_that_cannot_be_written_is_kept_and_caches_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".cache" / "huggingface").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    environment = {"USER": "me", "HOME": str(home), "MPLCONFIGDIR": "/mine"}
    user.complete(environment)
    assert (environment["HOME"], environment["HF_HOME"]) == (str(home), str(home / ".cache" / "huggingface"))
    assert environment["MPLCONFIGDIR"] == "/mine"
    assert environment["XDG_CACHE_HOME"].startswith(str(tmp_path / "training_hub-"))


def test_a_home_that_is_fine_is_left_alone(tmp_path: Path) -> None:
    environment = {"USER": "me", "HOME": str(tmp_path)}
    user.complete(environment)
    assert environment == {"USER": "me", "HOME": str(tmp_path)}


def test_a_folder_that_somebody_else_made_is_not_used(tmp_path: Path) -> None:
    place = tmp_path / f"training_hub-{os.getuid()}"
    place.symlink_to("/")
    assert user.home() not in (place, Path("/"))
    place.unlink()
    place.mkdir()
    place.chmod(0o777)
    assert user.home() != place


def test_no_path_of_the_project_needs_a_home(tmp_path: Path) -> None:
    assert all(
        str(each).startswith(str(tmp_path)) for each in (cache_folder(), environments.folder(), hub_cache("a/b"))
    )
