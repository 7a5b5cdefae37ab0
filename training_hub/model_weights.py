"""What the files of a model's weights hold: the tensors' names, types and shapes, from their headers alone."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from training_hub.model_files import header

Tensors = Mapping[str, Mapping[str, Any]]  # name -> dtype, shape and file of a tensor

_PLACES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_DOWNLOAD = "download or copy the model again"
_LFS = b"version https://git-lfs"
# Parts of a name that wrappers add. A module of a model may well be called `module`, but not all of it.
_ANYWHERE = {
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FSDP",
    "_checkpoint_wrapped_module": "activation checkpointing",
    "_forward_module": "Lightning Fabric",
}
_IN_FRONT = {"module": "DistributedDataParallel or DeepSpeed", "base_model": "PEFT"}
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.(.+)")


class Unreadable(ValueError):
    """Files that hold no weights as they should. rule: what is wrong; way_out: what to do."""

    def __init__(self, rule: str, way_out: str = _DOWNLOAD) -> None:
        self.rule, self.way_out = rule, way_out
        super().__init__(rule)


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers loads from a folder, in its order of preference; Unreadable where there are none."""
    for name in filter(None, (_config(folder).get("transformers_weights"), *_PLACES)):
        if (folder / str(name)).is_file():
            return _shards(folder / str(name)) if str(name).endswith(".json") else [folder / str(name)]
    rule = f"no weights in this folder: neither {_PLACES[0]} nor {_PLACES[1]}"
    raise Unreadable(rule, "give a folder in Hugging Face format")


def tensors(folder: Path) -> Tensors:
    """The tensors of a model folder; {} where they are pickled. Unreadable where the files are not whole."""
    files = weight_files(folder)
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise Unreadable(f"its index names {_some(absent)}, which {'is' if len(absent) == 1 else 'are'} not there")
    found: dict[str, Mapping[str, Any]] = {}
    for file in files:
        for name, each in _header(file).items():
            if name in found and not _same(found[name], each):
                rule = f"{found[name]['file'].name} and {file.name} both hold {name}, with different values"
                raise Unreadable(rule, "keep only the files of one checkpoint")
            found[name] = each
    _must_hold(found, folder)
    return found


def wrapped_by(names: Collection[str]) -> str | None:
    """What a model was wrapped in when it was saved, as the names of its tensors tell; None where they do not."""
    for name in names:
        if found := next(filter(None, map(_ANYWHERE.get, name.split("."))), None):
            return found
    first = {name.partition(".")[0] for name in names}
    return _IN_FRONT.get(first.pop()) if len(first) == 1 else None


def layers(names: Iterable[str]) -> dict[int, frozenset[str]]:
    """By the number of a layer in the deepest stack the names in it."""
    stacks: dict[str, dict[int, set[str]]] = {}
    for name in names:
        if found := _LAYER.search(name):
            stack = stacks.setdefault(name[: found.start(1)], {})
            stack.setdefault(int(found[1]), set()).add(found[2])
    deepest = max(stacks.values(), key=len, default={})
    return {number: frozenset(held) for number, held in deepest.items()}


def some(names: Iterable[str], few: int = 3) -> str:
    """The first few names, and how many more there are."""
    return _some(sorted(names), few)


def _some(names: list[str], few: int = 3) -> str:
    more = len(names) - few
    return ", ".join(names[:few]) + (f" and {more} more" if more > 0 else "")


def _shards(index: Path) -> list[Path]:
    return [index.parent / name for name in sorted(set(_weight_map(index).values()))]


def _weight_map(index: Path) -> dict[str, str]:
    try:
        found = json.loads(index.read_bytes())["weight_map"]
        return {str(name): str(file) for name, file in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable(f"its {index.name} cannot be read") from None


def _must_hold(found: Tensors, folder: Path) -> None:
    """Unreadable where an index lists tensors that its files do not hold."""
    index = folder / _PLACES[1]
    if not found or (folder / _PLACES[0]).is_file() or not index.is_file():
        return
    if lacking := _weight_map(index).keys() - found.keys():
        raise Unreadable(f"its index lists {some(lacking)}, but no file holds {'it' if len(lacking) == 1 else 'them'}")


def _header(file: Path) -> dict[str, Mapping[str, Any]]:
    with file.open("rb") as opened:
        if opened.read(len(_LFS)) == _LFS:
            raise Unreadable(f"{file.name} is a pointer of Git LFS, not the weights", "run git lfs pull in the folder")
    if file.suffix != ".safetensors":
        return {}
    try:
        held = header(file)
        end = _data(file) + max((int(each["data_offsets"][1]) for each in held.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise Unreadable(f"{file.name} is not a safetensors file") from None
    if (size := file.stat().st_size) != end:
        raise Unreadable(f"{file.name} has {size:,} bytes, but its header says {end:,}")
    return {name: {**each, "file": file} for name, each in held.items()}


def _data(file: Path) -> int:
    """Where the numbers of a safetensors file begin."""
    with file.open("rb") as opened:
        return 8 + int.from_bytes(opened.read(8), "little")


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    alike = all(one[key] == other[key] for key in ("dtype", "shape"))
    return alike and all(a == b for a, b in zip(_parts(one), _parts(other), strict=True))


def _parts(tensor: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes of a tensor, 16 MiB at a time."""
    start, end = tensor["data_offsets"]
    with tensor["file"].open("rb") as opened:
        opened.seek(_data(tensor["file"]) + start)
        for left in range(end - start, 0, -(2**24)):
            yield opened.read(min(left, 2**24))


def _config(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "config.json").read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
