"""Keys that nothing knows, that belong elsewhere, or that are not for the user to set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from omegaconf import DictConfig, OmegaConf

from training_hub.config.composition import Composition
from training_hub.config.schema import Schema
from training_hub.errors import enumerate_names, fault, nearest, suggestion

_MOST_TOLD = 20
_FEW = 12


def unknown(composition: Composition) -> list[str]:
    """Keys that nothing knows."""
    cfg, schema = composition.cfg, composition.schema
    found: list[str] = []
    known = (
        {"hydra"}
        | schema.parameters
        | set(schema.nodes)
        | {path.split(".")[0] for path in (*schema.nodes, *schema.libraries)}
    )
    astray = _without_header(composition)
    strange = [key for key in map(str, cfg) if key not in known and not (key == "experiment" and astray)]
    found += astray
    found += _first_few(strange, lambda key: _fault(composition, key, known, schema.elsewhere(key)))
    for path, owner in schema.nodes.items():
        inner = {(each.alias or name) for name, each in owner.model_fields.items()}
        found += _inside(composition, path, inner)
    for path, arguments in schema.libraries.items():
        node = OmegaConf.select(cfg, path, default=OmegaConf.create())
        if not isinstance(node, DictConfig):  # which the class of the node around it refuses
            continue
        if "_target_" not in node:
            known = {"_target_", "defaults"}
            close = [key for key in map(str, node) if suggestion(key, known)]
            found += [_fault(composition, f"{path}.{key}", known) for key in close]
        elif arguments is not None:
            known = {*arguments, *schema.reserved.get(path, ()), "_target_"}
            found += _inside(composition, path, known, str(node._get_node("_target_")))
    return found


def _without_header(composition: Composition) -> list[str]:
    """Experiments whose settings Hydra puts under `experiment.`, because the file does not say where they belong."""
    return [
        f"{source.name}.yaml: its settings have no effect; make `# @package _global_` its first line"
        for source in composition.sources
        if source.name.startswith("experiment/") and source.package == "experiment"
    ]


def reserved(composition: Composition) -> list[str]:
    """Arguments of the library that the user sets although the project's worker does."""
    by_user = composition.by_user
    return [
        fault(key, composition.shown(key), "the project's worker sets this", f"use {instead}" if instead else "drop it")
        for path, names in composition.schema.reserved.items()
        for key, instead in ((f"{path}.{name}", instead) for name, instead in names.items())
        if key in by_user
    ]


def derived(composition: Composition) -> list[str]:
    """Settings that follow from others by arithmetic: another value would contradict those."""
    return [
        fault(key, composition.shown(key), f"follows from {instead}", f"set {instead}")
        for key, instead in {"launcher.world_size": "nnodes and nproc_per_node"}.items()
        if key in composition.by_user
    ]


def deleted(composition: Composition) -> list[str]:
    """Parameters and settings that `~name` took away: the program reads them all."""
    typed = {text.removeprefix("~").partition("=")[0] for text in composition.overrides if text.startswith("~")}
    gone = sorted(name for name in typed if _is_read(composition.aliases.get(name, name), composition.schema))
    return [f"~{name}: a parameter cannot be deleted; set it to null or to its default" for name in gone]


def _is_read(key: str, schema: Schema) -> bool:
    path, _, name = key.rpartition(".")
    names = (
        {each.alias or name for name, each in schema.nodes[path].model_fields.items()} if path in schema.nodes else ()
    )
    return key in schema.parameters or key in schema.nodes or name in names


def _inside(composition: Composition, path: str, known: Iterable[str], library: str = "") -> list[str]:
    """Unknown keys of a node. library: the class that takes its keys as arguments."""
    node = OmegaConf.select(composition.cfg, path)
    known = set(known)
    keys = [str(key) for key in node] if isinstance(node, DictConfig) else []
    return _first_few(
        [key for key in keys if key not in known],
        lambda key: _fault(composition, f"{path}.{key}", known, None, library),
    )


def _first_few(keys: Sequence[str], told: Callable[[str], str]) -> list[str]:
    """A fault for each key; of many, for the first and how many there are: to look for the right name takes a while."""
    more = len(keys) - _MOST_TOLD
    return [told(key) for key in keys[:_MOST_TOLD]] + ([f"{more:,} more keys: no such parameter"] if more > 0 else [])


def _fault(
    composition: Composition, key: str, known: Iterable[str], owner: str | None = None, library: str = ""
) -> str:
    """known: the names that a key at this place may have. library: the class whose arguments these are."""
    rule = f"{composition.choices.get('algorithm')} has no such parameter" if owner else "no such parameter"
    rule += composition.place_of(key)
    parent, _, last = key.rpartition(".")
    # Files use a parameter's own name; who types may use any.
    right = composition.aliases.get(key) or nearest(last, [*known, *(() if parent else composition.aliases)])
    rule = f"{library} has no such argument{composition.place_of(key)}" if library and not right else rule
    way = f"did you mean {parent + '.' if parent else ''}{right}?" if right else _listing(parent, known, library)
    if not parent and key not in composition.aliases:
        from training_hub.config import elsewhere  # only now: most commands have no such key

        way = elsewhere.answer(key, str(composition.shown(key))) or way
    return fault(key, composition.shown(key), rule, f"it belongs to {owner}" if owner else way)


def _listing(parent: str, known: Iterable[str], library: str) -> str:
    """How to see the names that exist."""
    if library:
        return f"python -m pydoc {library} lists its arguments"
    names = sorted({*known} - {"_target_", "defaults"})
    return (
        f"choose from {enumerate_names(names)}"
        if parent and 0 < len(names) <= _FEW
        else "see --help for those that exist"
    )
