"""AlgorithmRegistry: what can be chosen. The folder `conf/` is the registry of what ships; Python code adds to it."""

from __future__ import annotations

from typing import Any, ClassVar

from training_hub.config import choices, groups
from training_hub.errors import ConfigError, enumerate_names, fault, suggestion
from training_hub.installed.locate import ALGORITHM, BACKEND, find_class
from training_hub.interfaces.algorithm import Algorithm
from training_hub.interfaces.backend import Backend


class AlgorithmRegistry:
    """Algorithms and the backends that each can run on; shared by the whole process."""

    _algorithms: ClassVar[dict[str, type[Algorithm]]] = {}
    _backends: ClassVar[dict[str, dict[str, type[Backend]]]] = {}

    @classmethod
    def register_algorithm(cls, name: str, algorithm_class: type[Algorithm]) -> None:
        """Add an algorithm, or replace the one of that name; it becomes an option of the config group `algorithm`."""
        cls._algorithms[name] = algorithm_class
        cls._backends.setdefault(name, {})
        _offer("algorithm", name)

    @classmethod
    def register_backend(cls, algorithm_name: str, backend_name: str, backend_class: type[Backend]) -> None:
        """Add a backend for an algorithm, or replace it; other algorithms keep theirs of that name.

        ValueError where the algorithm is unknown.
        """
        cls._known(algorithm_name)
        cls._backends.setdefault(algorithm_name, {})[backend_name] = backend_class
        _offer("backend", backend_name)
        _offer(f"recipe/{algorithm_name}", backend_name)

    @classmethod
    def get_algorithm(cls, name: str) -> type[Algorithm]:
        """The class of an algorithm. ValueError where it is unknown."""
        cls._known(name)
        if name in cls._algorithms:
            return cls._algorithms[name]
        found: type[Algorithm] = find_class(choices.entry("algorithm", name, "algorithm._target_"), ALGORITHM)
        return found

    @classmethod
    def get_backend(cls, algorithm_name: str, backend_name: str) -> type[Backend]:
        """The class of a backend. ValueError where the algorithm, or the backend for it, is unknown."""
        backends = cls.list_backends(algorithm_name)
        cls._known(algorithm_name)
        if backend_name not in backends:
            rule, way = f"algorithm={algorithm_name} does not run on it", f"choose from {enumerate_names(backends)}"
            raise ConfigError(fault("backend", backend_name, rule, way))
        custom = cls._backends.get(algorithm_name, {})
        if backend_name in custom:
            return custom[backend_name]
        found: type[Backend] = find_class(choices.entry("backend", backend_name, "_target_"), BACKEND)
        return found

    @classmethod
    def list_algorithms(cls) -> list[str]:
        """Names of all algorithms: those of `conf/algorithm/`, then those registered."""
        offered = choices.options("algorithm")
        return [name for name in offered if name not in cls._algorithms] + list(cls._algorithms)

    @classmethod
    def list_backends(cls, algorithm_name: str) -> list[str]:
        """Names of an algorithm's backends, its default first; [] for an unknown algorithm.

        They are the files of `conf/recipe/<algorithm>/`, then those registered.
        """
        recommended = choices.recommended_backend(algorithm_name)
        custom = cls._backends.get(algorithm_name, {})
        offered = choices.options(f"recipe/{algorithm_name}")
        offered = sorted(offered, key=lambda name: (name != recommended, name in custom, name))
        return offered + [name for name in custom if name not in offered]

    @classmethod
    def made_in_python(cls, algorithm_name: str, backend_name: str | None = None) -> type[Algorithm | Backend] | None:
        """The class that Python code registered for an algorithm, or for a backend of it; None where none did."""
        if backend_name is None:
            return cls._algorithms.get(algorithm_name)
        return cls._backends.get(algorithm_name, {}).get(backend_name)

    @classmethod
    def _known(cls, name: str) -> None:
        names = cls.list_algorithms()
        if name not in names:
            way = suggestion(name, names) or f"choose from {enumerate_names(names)}"
            raise ConfigError(fault("algorithm", name, "no such algorithm", way))


def create_algorithm(algorithm_name: str, backend_name: str | None = None, **kwargs: Any) -> Algorithm:
    """An algorithm ready to train. kwargs go to its constructor; backend_name None takes its first backend.

    Raises ConfigError (a ValueError) for an unknown algorithm, for one without a backend, and for an unknown backend.
    """
    algorithm_class = AlgorithmRegistry.get_algorithm(algorithm_name)
    backends = AlgorithmRegistry.list_backends(algorithm_name)
    if not backends:
        way = f"AlgorithmRegistry.register_backend({algorithm_name!r}, name, backend_class)"
        raise ConfigError(fault("algorithm", algorithm_name, "no backend is registered for it", way))
    backend_class = AlgorithmRegistry.get_backend(algorithm_name, backend_name or backends[0])
    return algorithm_class(backend=backend_class(), **kwargs)


def _offer(group: str, name: str) -> None:
    """Make a name an option of a config group. A file of that name stays as it is: other pairs are composed from it."""
    if choices.file_of(group, name) is None:
        groups.add_option(group, name, {})
