"""Settings that begin as was typed: their names, config groups among them, and their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from training_hub.command_line.verb import Verb
from training_hub.errors import HubError
from training_hub.params import Place, SweepParams, aliases
from training_hub.verbs.completion import files

_PATH = get_args(Place)[-1]


def settings(verb: Verb, words: Sequence[str], current: str) -> Iterator[str]:
    """`NAME=` for each that is not set yet, or `NAME=VALUE` for what a value can be."""
    own = dict(verb.settings.model_fields) if verb.settings else {}
    name, equals, value = current.partition("=")
    if name in own and equals:
        yield from _values(name, own[name], value)
        return
    typed = {word.partition("=")[0] for word in words}
    groups = _groups() if verb.overrides else {}
    if equals and name in groups:
        yield from _listed(name, value, groups[name])
        return
    if "." in name and verb.overrides and not equals:
        yield from (f"{each}=" for each in _dotted(words))
        return
    fields = _fields(words) if verb.overrides else {}
    if not equals:
        yield from (f"{each}=" for each in (*own, *groups, *fields) if each not in typed)
    elif name in fields:
        yield from _values(name, fields[name], value)


def _groups() -> dict[str, list[str]]:
    """The options of each config group."""
    from training_hub.config.choices import options_of
    from training_hub.config.groups import GROUPS, conf_loader

    with conf_loader() as loader:
        return {group: options_of(loader, group) for group in sorted(GROUPS - {"recipe"})}


def _composed(words: Sequence[str]) -> Any:
    """The config of what is chosen."""
    from training_hub import catalogue

    choices = [word for word in words if re.match(r"(algorithm|backend|launcher|adapter|experiment)=\w", word)]
    try:
        return catalogue.composed([word for word in choices if "," not in word], sweep=None)
    except HubError:  # of a choice that does not exist nothing is known
        return catalogue.composed([], sweep=None)


def _dotted(words: Sequence[str]) -> Iterator[str]:
    """The settings of the groups, and the arguments of the libraries: `data.too_long`, `recipe.optim`."""
    schema = _composed(words).schema
    yield from (f"{path}.{key}" for path, owner in schema.nodes.items() for key in owner.model_fields)
    yield from (f"{path}.{key}" for path, known in schema.libraries.items() for key in known or ())


def _fields(words: Sequence[str]) -> Mapping[str, FieldInfo]:
    """Every parameter of what is chosen, under all of its names."""
    classes = _composed(words).classes
    owners = [each.Params for each in (classes.algorithm, classes.adapter, classes.launcher)]
    owners += [SweepParams] if {"-m", "--multirun"} & set(words) else []
    fields = {name: field for owner in owners for name, field in owner.model_fields.items()}
    others = {other: fields[own] for owner in owners for other, own in aliases(owner).items()}
    return fields | others


def _values(name: str, field: FieldInfo, value: str) -> Iterator[str]:
    parts = list(_parts(field.annotation))
    if bool in parts:
        yield from _listed(name, value, ["true", "false"])
    yield from _listed(name, value, [str(each) for part in parts for each in _choices(part)])
    if _PATH in (*parts, *field.metadata) or name.endswith(("_path", "_dir")):
        yield from (f"{name}={each}" for each in files.below(value))


def _choices(part: Any) -> tuple[Any, ...]:
    return get_args(part) if get_origin(part) is Literal else ()


def _parts(annotation: Any) -> Iterator[Any]:
    """A type, and the types that it is made from."""
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _parts(part)


def _listed(name: str, value: str, known: Sequence[str]) -> Iterator[str]:
    """Each value after those that stand before it: `logger=[jsonl,wandb`, or a sweep's `algorithm=sft,osft`."""
    before = value[: max(value.rfind(","), value.rfind("[")) + 1]
    given = set(re.split(r"[\[,]", before))
    yield from (f"{name}={before}{each}" for each in known if each not in given)
