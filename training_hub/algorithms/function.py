"""`sft()`, `osft()`, ...: an algorithm as one function, its signature made from the parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.params import bare, names_in_python
from training_hub.registry import create_algorithm
from training_hub.run import TrainResult

# The order in which the first arguments may be given without their names.
POSITIONAL = ("model_path", "data_path", "ckpt_output_dir")


def as_function(algorithm: type[RecipeAlgorithm]) -> Callable[..., Any]:
    """A function that trains with `algorithm`; `backend=` chooses among its backends."""

    def function(*args: Any, **kwargs: Any) -> Any:
        given = dict(function.__signature__.bind_partial(*args, **kwargs).arguments)  # type: ignore[attr-defined]
        given |= given.pop("kwargs", {})
        has_settings = isinstance(given.get("backend"), Mapping)  # of the default backend
        return create_algorithm(algorithm.name, None if has_settings else given.pop("backend", None)).train(**given)

    function.__name__ = function.__qualname__ = algorithm.name
    function.__module__ = algorithm.__module__
    function.__doc__ = _doc(algorithm)
    function.__signature__ = _signature(algorithm)  # type: ignore[attr-defined]
    return function


def _signature(algorithm: type[RecipeAlgorithm]) -> inspect.Signature:
    """Parameters under the names of Python callers. None leaves the default value, which stands in `conf/`."""
    described = names_in_python(algorithm.Params)
    ordered = [*POSITIONAL, *(name for name in described if name not in POSITIONAL)]
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    required = ("model_path", "data_path")
    parameters = [
        inspect.Parameter(
            name,
            kinds[name not in POSITIONAL],
            default=inspect.Parameter.empty if name in required else None,
            annotation=bare(described[name].annotation)
            if name in required
            else bare(described[name].annotation) | None,
        )
        for name in ordered
    ]
    parameters.append(inspect.Parameter("backend", kinds[1], default=None, annotation=str | Mapping[str, Any] | None))
    parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD, annotation=Any))
    return inspect.Signature(parameters, return_annotation=TrainResult)


def _doc(algorithm: type[RecipeAlgorithm]) -> str:
    lines = [f"{algorithm.__doc__}", "", "Parameters (None leaves the default of `conf/`):", ""]
    for name, field in names_in_python(algorithm.Params).items():
        lines.append(f"{name}: {field.description}")
    return "\n".join(lines)
