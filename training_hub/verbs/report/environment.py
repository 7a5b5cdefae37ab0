"""Where runs ran and with what, and whether that was the same for all."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from training_hub.verbs.report.differ import shown

_OF_ONE = ("began", "ended")  # they differ always
Fact = tuple[str, dict[str, list[str]]]  # a name; each value, and the names of the runs that have it


def facts(manifests: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """What the manifests of runs say, fact by fact. manifests: by the name of the run."""
    each = {name: _of(manifest) for name, manifest in manifests.items()}
    found = []
    names = dict.fromkeys(fact for of_run in each.values() for fact in of_run)
    for fact in (name for name in names if len(each) == 1 or name not in _OF_ONE):
        values: dict[str, list[str]] = {}
        for name, of_run in each.items():
            if fact in of_run:  # what a run has not told yet is no difference
                values.setdefault(of_run[fact], []).append(name)
        found.append((fact, values))
    return found


def _of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What one manifest says; who ran it, and what is unknown, is left out."""
    machine, git = manifest.get("machine") or {}, manifest.get("git") or {}
    versions = {"Python": manifest.get("python"), "training_hub": manifest.get("training_hub")}
    found = {
        "model": _file(manifest.get("model")),
        **_data(manifest.get("data") or {}),
        "parameters": _count(manifest),
        "processes": manifest.get("world_size"),
        "GPUs": _gpus(machine.get("gpus") or ()),
        "processor cores": machine.get("cores"),
        "memory": f"{machine['memory_gb']} GB" if machine.get("memory_gb") is not None else None,
        "machine": machine.get("host"),
        "system": machine.get("system"),
        "code": git and str(git.get("commit"))[:12] + (" with uncommitted changes" if git.get("changed") else ""),
        **versions,
        **(manifest.get("versions") or {}),
        "began": manifest.get("created"),
        "ended": manifest.get("ended"),
        "command": manifest.get("command"),
    }
    return {name: shown(value) for name, value in found.items() if value not in (None, "", {})}


def _file(mark: Mapping[str, Any] | None) -> str | None:
    """A path and the first digits of the content's hash."""
    return f"{shlex.quote(str(mark['path']))} ({str(mark.get('sha256'))[:8]})" if mark else None


def _data(told: Mapping[str, Any]) -> dict[str, str | None]:
    """Of a run that has read its rows what the worker says of them, else what the front has seen."""
    if "path" in told:
        return {"data": _file(told)}
    parts = {"data": told.get("train"), "held-out data": told.get("eval")}
    return {name: _file(part | {"sha256": part["fingerprint"]}) for name, part in parts.items() if part}


def _count(manifest: Mapping[str, Any]) -> str | None:
    total, trained = manifest.get("parameters"), manifest.get("trainable_parameters")
    if not total:
        return None
    return f"{total:,}" if trained in (None, total) else f"{total:,}, {trained:,} of them trained"


def _gpus(names: Sequence[str]) -> str:
    counted = {name: list(names).count(name) for name in names}
    return ", ".join(f"{count} {name}" for name, count in counted.items()) or "none"
