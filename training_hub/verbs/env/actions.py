"""The words of `env`, and its table."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import Requirement

from training_hub.command_line.table import table
from training_hub.config.choices import lock_of, options, read_option
from training_hub.errors import ConfigError, enumerate_names, suggestion
from training_hub.installed import environments
from training_hub.installed.interpreter import missing_requirements, versions
from training_hub.verbs.env.create import create, is_current, remove
from training_hub.verbs.env.settings import EnvSettings

USAGE = "write env list, env create BACKEND [torch=cpu] [python=3.12], or env remove BACKEND"
_ACTIONS = ("create", "list", "remove")


def env(words: Sequence[str], settings: EnvSettings) -> str:
    """Do what the words ask for; returns what is to be said of it."""
    action, backend = asked(words, settings)
    if action == "list":
        return listing()
    if action == "remove":
        return f"removed {remove(backend)}"
    place = create(backend, settings.torch, settings.python)
    return f"made {place}\n{_use(backend)}"


def asked(words: Sequence[str], settings: EnvSettings) -> tuple[str, str]:
    """Action and backend ("" for list). ConfigError where the words ask for nothing that can be done."""
    action, names = (words[0], words[1:]) if words else ("", ())
    if action not in _ACTIONS:
        way = suggestion(action, _ACTIONS) or USAGE
        raise ConfigError(f"env {action}: no such action; {way}" if words else f"env: names no action; {USAGE}")
    strange = [*(sorted(settings.model_fields_set) if action != "create" else ()), *(names if action == "list" else ())]
    if strange:
        raise ConfigError(f"env {action}: {strange[0]} means nothing here; {USAGE}")
    if action == "list":
        return action, ""
    if not names:
        raise ConfigError(f"env {action}: names no backend; choose from {enumerate_names(backends())}")
    _known(action, names[0])
    return action, names[0]


def _known(action: str, backend: str) -> None:
    if backend not in backends():
        way = suggestion(backend, backends()) or f"choose from {enumerate_names(backends())}"
        raise ConfigError(f"env {action} {backend}: no such backend with locked versions; {way}")


def backends() -> list[str]:
    """The backends that have a lock."""
    return [name for name in options("backend") if lock_of(name).is_file()]


def listing() -> str:
    """Each backend's environment: where it is, what is in it, whether an older lock made it."""
    rows = [("backend", "environment", "has", "state"), *((name, *_made(name)) for name in backends())]
    return "\n".join(table(rows))


def _made(backend: str) -> tuple[str, str, str]:
    place, python = environments.folder() / backend, environments.python_of(backend)
    if python is None:
        return ("-", "-", "not made") if not place.exists() else (str(place), "-", f"broken; env remove {backend}")
    requires = read_option("backend", backend)["requires"]
    found = versions([Requirement(text).name for text in requires], python)
    has = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    if missing := missing_requirements(requires, python):
        return str(place), has, f"lacks {enumerate_names(missing)}; env remove {backend}"
    return str(place), has, "ready" if is_current(backend) else "ready, of other versions than are locked now"


def _use(backend: str) -> str:
    """Whether the backend will find it."""
    if missing_requirements(read_option("backend", backend)["requires"]):
        return f"backend={backend} runs there from now on"
    python = environments.python_of(backend)
    return f"backend={backend} is installed here too, and runs here; to run it there, add backend.python={python}"
