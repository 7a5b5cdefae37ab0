"""Nothing is told to anybody, unless the user says so."""

from __future__ import annotations

import pytest

from training_hub.telemetry import OFF, switch_off


def test_all_of_it_is_off_by_default() -> None:
    environment = {"PATH": "/bin"}
    switch_off(environment)
    assert environment == {"PATH": "/bin", "DO_NOT_TRACK": "1", **OFF}


def test_one_that_the_user_switches_on_stays_on() -> None:
    environment = {"HF_HUB_DISABLE_TELEMETRY": "0"}
    switch_off(environment)
    assert environment == {**OFF, "HF_HUB_DISABLE_TELEMETRY": "0"}, "and no shared variable switches it off again"


@pytest.mark.parametrize("value", ["0", "false", ""])
def test_the_shared_variable_switches_all_on(value: str) -> None:
    environment = {"DO_NOT_TRACK": value}
    switch_off(environment)
    assert environment == {"DO_NOT_TRACK": value}


def test_what_the_user_switched_off_stays_off() -> None:
    environment = {"DO_NOT_TRACK": "1"}
    switch_off(environment)
    assert environment == {**OFF, "DO_NOT_TRACK": "1"}


@pytest.mark.needs("huggingface_hub", "mlflow")
def test_the_libraries_hear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    code = (
        "from huggingface_hub import constants; from mlflow.telemetry.utils import is_telemetry_disabled as mlflow; "
        "print(constants.HF_HUB_DISABLE_TELEMETRY, mlflow())"
    )
    environment = {"PATH": "/bin", "HOME": "/tmp"}
    switch_off(environment)
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr
