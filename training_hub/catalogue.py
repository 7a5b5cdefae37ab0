"""What can be chosen, and a composition of it."""

from __future__ import annotations

from collections.abc import Sequence

from training_hub.config.choices import options, read_option
from training_hub.config.compose import compose
from training_hub.config.composition import Composition
from training_hub.errors import ConfigError, fault
from training_hub.loggers import LOGGER_SETTINGS
from training_hub.params import Params, aliases


def composed(
    overrides: Sequence[str],
    config_dirs: Sequence[str] = (),
    typed_in: str = "command line",
    sweep: bool | None = False,
) -> Composition:
    """Compose overrides, parameters under any of their names; see `compose`."""
    return compose(overrides, names(), config_dirs, typed_in, sweep)


def names() -> dict[str, str]:
    """Every other name of a parameter, or of a logger's setting -> its own."""
    return aliases(Params) | LOGGER_SETTINGS


def refuse_python_made(composition: Composition) -> None:
    """ConfigError for what only a recipe can answer."""
    if composition.classes.are_registered:
        algorithm, backend = composition.choices["algorithm"], composition.choices["backend"]
        rule = f"algorithm={algorithm} on it is made in Python, no recipe says how its parameters are used"
        raise ConfigError(fault("backend", backend, rule, "only train can run it"))


def alternatives(algorithm: str) -> list[str]:
    """Backends of an algorithm that run without a GPU."""
    return [name for name in options(f"recipe/{algorithm}") if not read_option("backend", name).get("needs_gpu")]
