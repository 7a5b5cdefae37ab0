"""The data formats of a config: which there are, and what their settings may be."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Annotated, Any, get_type_hints

from omegaconf import DictConfig
from pydantic import AfterValidator, BaseModel, Field, create_model

from training_hub.config.choices import entry
from training_hub.config.lookup import selected
from training_hub.data.params import DataNode
from training_hub.errors import enumerate_names, suggestion
from training_hub.installed.locate import FORMAT, find_class
from training_hub.params import Checked, Text

PLACE = "data.formats"


def nodes(cfg: DictConfig) -> dict[str, type[BaseModel]]:
    """The class of the node `data`, and of each format in it."""
    there = selected(cfg, PLACE)
    names = list(map(str, there)) if isinstance(there, DictConfig) else []
    return {"data": _data_node(tuple(names)), **{f"{PLACE}.{name}": _node(cfg, name) for name in names}}


@cache
def _data_node(names: tuple[str, ...]) -> type[BaseModel]:
    """DataNode, in which `format` is one of these names."""

    def known(name: str) -> str:
        if name not in ("auto", *names):
            way = suggestion(name, ["auto", *names]) or f"choose from {enumerate_names(['auto', *names])}"
            raise ValueError(f"no such format; {way}")
        return name

    field = DataNode.model_fields["format"]
    return create_model("DataNode", __base__=DataNode, format=(Annotated[Text, AfterValidator(known)], field))


def _node(cfg: DictConfig, name: str) -> type[BaseModel]:
    """What a format's class takes."""
    target = selected(cfg, f"{PLACE}.{name}._target_") or entry("format", name, "_target_")
    return _arguments(find_class(str(target), FORMAT, key=f"{PLACE}.{name}._target_"))


@cache
def _arguments(kind: type[Any]) -> type[BaseModel]:
    """The fields of a dataclass; a class that is none takes no arguments."""
    fields: dict[str, Any] = {"target": (Text, Field(alias="_target_", description="the class"))}
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        fields |= {each.name: (hints[each.name], _default(each)) for each in dataclasses.fields(kind) if each.init}
    return create_model(f"{kind.__name__}Node", __base__=Checked, **fields)


def _default(field: dataclasses.Field[Any]) -> Any:
    return ... if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING else None
