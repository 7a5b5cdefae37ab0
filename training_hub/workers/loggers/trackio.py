"""trackio: on this machine, or in a Space on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import trackio
import trackio.run

from training_hub import user
from training_hub.workers.loggers.base import Client, Facts, Row


class Trackio(Client):
    """A run in a project; it is known by its name."""

    def __init__(self, node: Mapping[str, Any], facts: Facts, id: str | None) -> None:  # noqa: A002
        self._facts = facts
        if node["space_id"] is None:  # else it asks the hub whose token this is, for a run that stays on this machine
            setattr(trackio.run.Run, "_get_username", lambda _: user.name())  # noqa: B010  mypy
        self._run = trackio.init(
            project=node["project"],
            name=id or node["name"] or facts.name,
            group=node["group"] or facts.group,
            space_id=node["space_id"],
            config={**facts.config, "manifest": facts.run.read_manifest()},
            resume="allow" if id else "never",
            embed=False,
        )
        self.id = str(self._run.name)
        self.url = node["space_id"] or f"trackio show --project {node['project']}"

    def log(self, rows: Sequence[Row]) -> None:
        """By the run's own steps."""
        for row in rows:
            values = {name: value for name, value in row.items() if name != "step"}
            self._run.log(values, step=int(row["step"]))

    def finish(self, result: Mapping[str, Any]) -> None:
        """The final numbers are a last row of their own."""
        final = {f"final/{name}": value for name, value in result["metrics"].items()}
        self._run.log(final, step=int(result["metrics"].get("steps", 0)))
        self._run.finish()
