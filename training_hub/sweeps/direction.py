"""Which way a sweeper of Hydra's optimises: the way in which the runs are ranked."""

from __future__ import annotations

from collections.abc import Set
from enum import Enum
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.ranking import BY_LOSS, Ranking

DIRECTION = "hydra.sweeper.direction"  # of optuna
DIRECTIONS = {"min": "minimize", "max": "maximize"}


def refuse_another_direction(sweeper: str, node: Any, given: Set[str], ranking: Ranking | None) -> None:
    """ConfigError where a sweeper would optimise the other way than the runs are ranked.

    sweeper: its name; node: its config. given: what the user set below `hydra`. ranking: None where none is asked for.
    """
    wanted = DIRECTIONS[(ranking or BY_LOSS).mode]
    if sweeper not in ("basic", "optuna") and wanted == "maximize":
        rule = f"hydra/sweeper={sweeper} is told what to minimise"
        raise ConfigError(fault("rank_mode", "max", rule, "use hydra/sweeper=optuna"))
    if sweeper != "optuna" or DIRECTION not in given:
        return
    direction = node.direction.name if isinstance(node.direction, Enum) else node.direction
    if direction != wanted:
        by = ranking.metric if ranking and ranking.metric else "loss"
        way = "drop it" if ranking else "drop it, or add rank_by=METRIC rank_mode=max"
        raise ConfigError(fault(DIRECTION, direction, f"the runs are ranked by the {_BEST[wanted]} {by}", way))


_BEST = {"minimize": "lowest", "maximize": "highest"}
