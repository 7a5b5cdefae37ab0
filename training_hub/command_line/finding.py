"""The verbs that there are: one for each module of training_hub/verbs, and those of installed extensions."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from training_hub.command_line.verb import Verb
from training_hub.errors import ConfigError, enumerate_names, suggestion
from training_hub.installed import extensions

_PACKAGE = "training_hub.verbs"
_HERE = str(Path(__file__).parents[1] / "verbs")
DEFAULT = "train"


@cache
def shipped() -> tuple[str, ...]:
    """The verbs of this package, none of them imported."""
    return tuple(sorted(each.name for each in iter_modules([_HERE])))


def names() -> list[str]:
    """Every verb, none of them imported. ConfigError for two of one name."""
    return [*shipped(), *_further()]


def _further() -> dict[str, str]:
    """The verbs of extensions -> the modules that declare them."""
    modules: dict[str, str] = {}
    owners = dict.fromkeys(shipped(), "training_hub")
    for name, module, owner in extensions.verbs():
        if name in owners:
            raise ConfigError(f"{owner}: {name} is a verb of {owners[name]}; rename one, or remove that package")
        modules[name], owners[name] = module, owner
    return modules


def load(name: str) -> Verb:
    """Import the module that declares a verb. ConfigError where there is no such verb, or a module declares none."""
    further = _further()
    if name not in (*shipped(), *further):
        way = _way_out(name) or f"choose from {enumerate_names(names())}, or write NAME=VALUE"
        raise ConfigError(f"{name}: no such verb; {way}")
    module = further.get(name, f"{_PACKAGE}.{name}")
    try:
        verb = getattr(import_module(module), "VERB", None)
    except ImportError as error:
        if name not in further:
            raise
        raise ConfigError(f"{name}: {module} cannot be imported ({error}); reinstall that package") from None
    if not isinstance(verb, Verb):
        raise ConfigError(f"{name}: {module} declares no verb; VERB = Verb(...) is missing in it")
    return verb


def _way_out(name: str) -> str:
    if name in ("help", "version"):  # verbs of many other programs
        return f"use --{name}"
    return suggestion(name, names())
