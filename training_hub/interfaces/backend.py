"""What a backend is to Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Backend(ABC):
    """Carries a training out. Register a subclass with AlgorithmRegistry.register_backend."""

    @abstractmethod
    def execute_training(self, algorithm_params: dict[str, Any]) -> Any:
        """Train with these parameters, given under the names that the user knows them by."""

    def context(self, algorithm: str) -> dict[str, Any]:
        """What a built-in algorithm adds to the user's parameters for this backend: by default nothing."""
        return {}
