"""YAML files of which nothing is lost, and that nobody waits for: looked at before OmegaConf builds a config of them.

YAML has several ways to be one thing for its writer and another for a reader: a key that is there twice, a key that is
a number or a truth, anchors that grow to millions of values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from training_hub.config.omegaconf_speed import loader
from training_hub.errors import ConfigError, shown_value, suggestion

_MOST_BYTES = 2**20
_DEEPEST = 50
_MOST_VALUES = 20_000
WORDS = ("optional", "override")  # that may stand before a group in a defaults list
_YAML = "tag:yaml.org,2002:"
_MERGE, _TEXT = f"{_YAML}merge", f"{_YAML}str"
_TAGS = {_TEXT, *(f"{_YAML}{kind}" for kind in ("null", "bool", "int", "float", "seq", "map"))}
_KINDS = {"bool": "true or false", "int": "a number", "float": "a number", "null": "null", "timestamp": "a date"}


def check(file: Path, name: str) -> None:
    """ConfigError with the faults of a file of settings, which is called `name` in them."""
    try:
        text = _text(file)
        _measure(text)
        faults = list(_faults(yaml.compose(text, Loader=loader()), name))
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{name}{_line(error)}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {str(error).partition(chr(10))[0]}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: {error}") from None
    if faults:
        raise ConfigError(*faults)


def _line(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f", line {mark.line + 1}" if mark else ""


def _text(file: Path) -> str:
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"larger than {_MOST_BYTES // 2**20} MiB; keep data in files of their own")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError("not valid UTF-8; save it as UTF-8") from None
    if text.startswith("\ufeff"):  # Hydra would not see `# @package` after it
        raise ValueError("begins with a byte order mark; save it as UTF-8 without one")
    return text


def _measure(text: str) -> None:
    """Refuse what would take too long or too deep, without building it: ValueError."""
    total, sizes, around = 0, dict[str, int](), list[tuple[str | None, int]]()
    for event in yaml.parse(text, Loader=loader()):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if anchor in [each for each, _ in around]:
                raise ValueError(f"*{anchor} refers to what it is part of; write it out")
            total += sizes.get(str(anchor), 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = around.pop()
        else:
            before, total = total, total + 1
        if isinstance(event, yaml.CollectionStartEvent):
            around.append((anchor, before))
        elif anchor:
            sizes[anchor] = total - before
        if len(around) > _DEEPEST:
            raise ValueError(f"nested deeper than {_DEEPEST} levels; write it flatter")
        if total > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES:,} values, those of anchors included; write less")


def _faults(root: yaml.Node | None, name: str) -> Iterator[str]:
    if not isinstance(root, yaml.MappingNode | None):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        yield f"{name}: must hold settings, not {kind}; write NAME: VALUE"
        return
    for key, _ in root.value if root else ():
        if isinstance(key, yaml.ScalarNode) and "." in key.value:
            parent, _, last = key.value.rpartition(".")
            yield f"{shown_value(key.value)}: no name of a setting{_place(key, name)}; write {last} below {parent}"
    yield from _faults_of_entries(root, name)
    for node in _nodes(root):
        if node.tag not in _TAGS:
            yield f"{shown_value(node.tag)}: no kind of value that a config may have{_place(node, name)}; drop it"
        if isinstance(node, yaml.MappingNode):
            yield from _faults_of_keys(node, name)


def _faults_of_entries(root: yaml.MappingNode | None, name: str) -> Iterator[str]:
    """Words before a group in the defaults list that Hydra would pass over: `overide /adapter: lora`."""
    entries = next((value for key, value in (root.value if root else ()) if key.value == "defaults"), None)
    for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
        for key, _ in entry.value if isinstance(entry, yaml.MappingNode) else ():
            *words, group = str(key.value).split() or [""]
            for word in words:
                if word not in WORDS:
                    right = suggestion(word, WORDS).replace("?", f" {group}?") or f"write {' or '.join(WORDS)} {group}"
                    yield f"{shown_value(key.value)}: no such entry of a defaults list{_place(key, name)}; {right}"


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Every value of a file once, however often an anchor is referred to; not the keys."""
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if node is not None and id(node) not in seen:
            seen.add(id(node))
            yield node
            if isinstance(node, yaml.MappingNode):
                pending += reversed([value for _, value in node.value])
            elif isinstance(node, yaml.SequenceNode):
                pending += reversed(node.value)


def _place(node: yaml.Node, name: str) -> str:
    return f" ({name}, line {node.start_mark.line + 1})"


def _faults_of_keys(node: yaml.MappingNode, name: str) -> Iterator[str]:
    """Keys that are no text, and those that are there twice."""
    own: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag not in (_TEXT, _MERGE):
            kind = _KINDS.get(key.tag.rpartition(":")[2], key.id)
            shown = shown_value(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            yield f"{shown}: a key must be text, to YAML this is {kind}{_place(key, name)}; put it in quotes"
        elif key.value in own:
            way = "name both after one <<: [*one, *other]" if key.tag == _MERGE else "keep one of the two"
            yield f"{shown_value(key.value)}: is given twice ({name}, lines {own[key.value]} and {line}); {way}"
        else:
            own[key.value] = line
    parts = _merged(node)
    merged = Counter(key for part in parts for key in {each.value for each, _ in part.value})
    for key in sorted(key for key, count in merged.items() if count > 1 and key not in own):
        way = "set it below <<, or in one part"
        yield f"{shown_value(key)}: comes from two merged parts ({name}, line {own['<<']}); {way}"


def _merged(node: yaml.MappingNode) -> list[yaml.MappingNode]:
    """What `<<` brings into a mapping."""
    value = next((value for key, value in node.value if key.tag == _MERGE), None)
    parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return [each for each in parts if isinstance(each, yaml.MappingNode)]
