"""What an algorithm is to Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from training_hub.interfaces.backend import Backend


class Algorithm(ABC):
    """A way to train. Register a subclass with AlgorithmRegistry.register_algorithm."""

    def __init__(self, backend: Backend, **kwargs: Any) -> None:
        """backend: what carries the training out; kwargs: parameters that every `train` begins with."""
        self.backend = backend
        self.kwargs = kwargs

    @abstractmethod
    def train(self, **kwargs: Any) -> Any:
        """Train with these parameters."""

    @abstractmethod
    def get_required_params(self) -> dict[str, type]:
        """Names and types of the parameters that must be given."""

    @abstractmethod
    def get_optional_params(self) -> dict[str, type]:
        """Names and types of the parameters that may be given."""
