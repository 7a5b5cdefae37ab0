"""Algorithms that `conf/recipe/` describes."""

from __future__ import annotations

from typing import Any, ClassVar

from training_hub import params
from training_hub.config import compose
from training_hub.errors import ConfigError, fault
from training_hub.interfaces.algorithm import Algorithm


class RecipeAlgorithm(Algorithm):
    """An algorithm whose parameters become a backend's arguments by a recipe, `conf/recipe/<name>/<backend>.yaml`.

    name: its file in `conf/algorithm/`. Params: all of its parameters. Node: the settings of its node `algorithm`, also
    those that are no argument of a library.
    """

    name: ClassVar[str]
    Params: ClassVar[type[params.Params]]
    Node: ClassVar[type[params.ChoiceNode]] = params.ChoiceNode

    def train(self, **kwargs: Any) -> Any:
        """Train; returns a TrainResult (a backend of your own: whatever that one returns).

        kwargs: parameters by name; None leaves the default. Raises ConfigError (a ValueError) for wrong settings
        before anything starts, RunFailed for a run that failed.
        """
        given = {key: value for key, value in {**self.kwargs, **kwargs}.items() if value is not None}
        if given.get("algorithm", self.name) != self.name:
            rule = f"this trains with algorithm={self.name}"
            raise ConfigError(
                fault("algorithm", given["algorithm"], rule, "drop it, or call that algorithm's function")
            )
        return self.backend.execute_training(given | self.backend.context(self.name))

    def get_required_params(self) -> dict[str, type]:
        """Parameters without a default value in `conf/`."""
        return self._params(required=True)

    def get_optional_params(self) -> dict[str, type]:
        """Parameters with a default value in `conf/`."""
        return self._params(required=False)

    def _params(self, required: bool) -> dict[str, type]:
        missing, own = compose.missing_parameters(self.name), params.aliases(self.Params)
        kinds = params.types(self.Params)
        return {name: kind for name, kind in kinds.items() if (own.get(name, name) in missing) == required}
