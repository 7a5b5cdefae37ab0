"""OmegaConf, faster: it reads YAML with libyaml, as OmegaConf 2.4 does by itself, and parses an interpolation once."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import yaml
from omegaconf import _utils, base, grammar_parser

_MOST_TEXTS = 4096  # that are kept parsed; nothing changes a parse tree
_home = import_module("omegaconf._yaml") if find_spec("omegaconf._yaml") else _utils  # before 2.4
_loader_of_omegaconf = _home.get_yaml_loader
_parsed_once = lru_cache(_MOST_TEXTS)(grammar_parser.parse)


def speed_up() -> None:
    """Have OmegaConf use both, in this process; it may be called again."""
    for module in (base, _utils):
        module.parse = _parsed_once  # type: ignore[attr-defined]
    if _home is _utils:
        _utils.get_yaml_loader = loader


@cache
def loader() -> Any:
    """The class with which OmegaConf loads YAML, reading by libyaml where PyYAML came with it: ten times as fast."""
    slow = _loader_of_omegaconf()
    if not yaml.__with_libyaml__ or issubclass(slow, yaml.CSafeLoader):
        return slow
    tables = {"yaml_implicit_resolvers": slow.yaml_implicit_resolvers, "yaml_constructors": slow.yaml_constructors}
    return type("Loader", (yaml.CSafeLoader, slow), tables)
