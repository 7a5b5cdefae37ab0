"""Folders of config groups that the user names, `--config-dir`: what Hydra would pass over in them is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType

from training_hub.config import groups
from training_hub.errors import ConfigError

_FLAG = "--config-dir"
_SUFFIXES = (".yaml", ".yml")  # Hydra reads the first alone


def refuse_unsound(folders: Sequence[str]) -> None:
    """ConfigError for a folder that cannot be read or is given twice, and for files that another one would hide."""
    faults = [f"{_FLAG}={each}: {text}" for each in folders if (text := _no_folder(each))]
    if not faults and folders:
        with groups.conf_loader() as loader:
            faults = list(_given_again(folders)) or list(_hidden(folders, loader))
    if faults:
        raise ConfigError(*faults)


def options_in(folder: Path, group: str) -> list[str]:
    """The options of a group that a folder has, nested ones too: `experiment/team/mine`."""
    found = [each for each in _below(folder, group) if each.endswith(_SUFFIXES[0]) and (folder / each).is_file()]
    return [each.removesuffix(_SUFFIXES[0]) for each in found]


def entries(folder: Path) -> Iterator[str]:
    """The options in a folder, and what was meant to be one, whatever they are: `experiment/mine.yaml`."""
    yield from (each.name for each in sorted(folder.iterdir()) if each.suffix.lower() in _SUFFIXES)
    for group in sorted(groups.TOP_GROUPS):
        yield from _below(folder, group)


def _below(folder: Path, group: str) -> Iterator[str]:
    seen: set[str] = set()
    for place, inner, files in os.walk(folder / group, followlinks=True):
        real = os.path.realpath(place)
        inner[:] = [] if real in seen else inner  # a link may lead back to where it lies
        seen.add(real)
        found = [name for name in (*files, *inner) if Path(name).suffix.lower() in _SUFFIXES]
        yield from sorted(Path(place, name).relative_to(folder).as_posix() for name in found)


def unread(group: str, name: str, folders: Sequence[str]) -> str:
    """Why an option that seems to be there is none; "" where nothing of this name is."""
    for folder in (str(groups.CONF), *folders):
        place = Path(folder, group)
        for file in sorted(place.glob(f"{_escaped(name)}.*")) if place.is_dir() else ():
            if file.suffix == _SUFFIXES[0]:
                return f"{file} is {'a broken link' if file.is_symlink() else 'no file'}"
            return f"{file} is not read; rename it to {file.stem}{_SUFFIXES[0]}"
    return ""


def _escaped(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name.strip("/"))


def _no_folder(text: str) -> str | None:
    """Why that is no folder to look into; None where it is one."""
    if not text:
        return "names no folder; add one"
    if not os.path.isdir(text):  # noqa: PTH112  Path.is_dir raises for a name that is too long
        parts = text.split(",")
        if len(parts) > 1 and all(map(os.path.isdir, parts)):
            return f"no such folder; write {' '.join(f'{_FLAG}={part}' for part in parts)}"
        kind = "a broken link" if os.path.islink(text) else "a file; give a folder with config groups"  # noqa: PTH114
        return kind if os.path.lexists(text) else "no such folder"
    if not os.access(text, os.R_OK | os.X_OK):
        return "cannot be read; check its permissions"
    if next(entries(Path(text)), None) is None:
        return f"holds no option of a config group; put one below it, such as {text.rstrip('/')}/experiment/NAME.yaml"
    return None


def _given_again(folders: Sequence[str]) -> Iterator[str]:
    """Folders that are looked into already: given twice, or those of the project."""
    places = [groups.CONF.resolve(), *(Path(each).resolve() for each in folders)]
    for number, each in enumerate(folders, start=1):
        if places[number] in places[:number]:
            rule = "comes with training_hub" if places[number] == places[0] else "is given twice"
            yield f"{_FLAG}={each}: {rule}; drop it"


def _hidden(folders: Sequence[str], loader: ConfigLoader) -> Iterator[str]:
    """Files that have the name of an option that Hydra finds before them, or that it reads instead."""
    owners: dict[str, str] = {}
    for folder in folders:
        for entry in entries(Path(folder)):
            name = entry.rpartition(".")[0]
            owner = owners.setdefault(name, _owner(loader, name) or f"{folder.rstrip('/')}/{entry}")
            if owner != f"{folder.rstrip('/')}/{entry}":
                yield f"{_FLAG}={folder}: {entry} is hidden by {owner}; rename it"


def _owner(loader: ConfigLoader, name: str) -> str:
    """What Hydra takes for that name without the user's folders; "" for nothing."""
    source = loader.repository._find_object_source(name, ObjectType.CONFIG)  # type: ignore[attr-defined]
    if source is None:
        return ""
    return f"{source.path}/{name}.yaml" if source.scheme() == "file" else f"{name} of {source.provider}"
