"""Weights & Biases, seen from the front."""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from training_hub.errors import fault
from training_hub.interfaces.logger import Logger
from training_hub.params import LoggerNode, Text, param
from training_hub.user import home

_KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
_CLOUD = "https://api.wandb.ai"


class WandbNode(LoggerNode):
    """`logger.wandb`; what is not here follows from the client's own environment variables."""

    project: Text = param("name of the project", min_length=1)
    entity: Text | None = param("user or team; null: that of the API key")
    name: Text | None = param("name of the run; null: the name of the run directory")
    group: Text | None = param("group of runs; null: the sweep that the run belongs to, if any")
    tags: list[Text] | None = param("tags of the run")
    mode: Literal["online", "offline", "disabled"] = param(
        "offline: write to the run directory, for `wandb sync`; disabled: log nothing"
    )


class WandbLogger(Logger):
    """Needs a key, unless it works offline."""

    Node: ClassVar[type[LoggerNode]] = WandbNode

    def check(self) -> Iterator[str]:
        """Without a key the client would ask for one at a terminal that a worker does not have."""
        if self.settings["mode"] == "online" and not any(map(os.environ.get, _KEYS)) and not _logged_in():
            way = "set WANDB_API_KEY, run `wandb login`, or add logger.wandb.mode=offline"
            yield fault("logger", "wandb", "no key for it", way)


def _logged_in() -> bool:
    """Whether `wandb login` has written a key for the server."""
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or _CLOUD).hostname or ""
    file = os.environ.get("NETRC") or next((each for each in _files() if each.is_file()), None)
    with suppress(OSError, netrc.NetrcParseError):
        return file is not None and host in netrc.netrc(file).hosts
    return False


def _files() -> list[Path]:
    return [home() / ".netrc", home() / "_netrc"]
