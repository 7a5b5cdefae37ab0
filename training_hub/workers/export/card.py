"""The model card: README.md with the hub's metadata, made from what the run directory tells.

A card is made to be published: names of machines and users, and folders of theirs, are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard, ModelCardData

from training_hub.run import RunDir

_PATHS = ("model_path", "data_path", "eval_data_path", "output_dir", "overwrite")
_RESULTS = {  # what of the metrics is told, and how it is called
    "eval_loss": "loss per trained token on held-out rows (nats)",
    "eval_accuracy": "share of held-out pairs whose answers moved apart rightly",
    "eval_margin": "how far their answers moved apart (beta times nats)",
    "eval_preferred": "share of held-out pairs whose chosen answer is the likelier one",
}


@dataclass
class Origin:
    """Where a model comes from. summary: paragraphs; bases: ids on the hub; sections: heading -> Markdown."""

    summary: list[str]
    tags: list[str]
    bases: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    license: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)


def card(name: str, origin: Origin, facts: str) -> str:
    """The text of README.md. name: of the model; facts: its size."""
    data = ModelCardData(
        base_model=origin.bases or None,
        datasets=origin.datasets or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["training-hub", *origin.tags],
        **origin.license,  # type: ignore[arg-type]
    )
    sections = {"Use": _use(name), **origin.sections}
    parts = [f"# {name}", *origin.summary, f"{facts}."]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections.items() if text]
    return str(ModelCard("\n\n".join((f"---\n{data.to_yaml()}\n---", *parts)) + "\n"))


def origin_of_run(request: Mapping[str, Any], told: list[str]) -> Origin:
    """What the run of a checkpoint tells, or, of a checkpoint without one, what there is to tell."""
    if not request["run"]:
        source = str(request["model_path"] or request["source"])
        bases = [source] if _is_hub_id(source) else []
        return Origin([f"Exported from {_named(source)}.", *told], [], bases, license=_license(source))
    run = RunDir(request["run"])
    config, manifest, result = run.read_config(), run.read_manifest(), run.read_result()
    base = str((manifest.get("model") or config["model"])["path"])  # the manifest's where it is a folder
    data = str(config["data"]["path"])
    status = "" if result and result.status == "completed" else " The run did not reach its end."
    algorithm, backend = (str(manifest.get(name)) for name in ("algorithm", "backend"))
    summary = f"{_named(base)}, trained by {algorithm} with training_hub on {backend}.{status}"
    return Origin(
        [summary, *told],
        [algorithm, backend],
        [base] if _is_hub_id(base) else [],
        [data] if _is_hub_id(data) else [],
        _license(base),
        {
            "Results": _results(result.metrics if result else {}),
            "Data": _data(manifest),
            "Parameters": _parameters(config),
            "Versions": _versions(manifest),
        },
    )


def origin_of_two(request: Mapping[str, Any]) -> Origin:
    """A mixture of two models."""
    first, second = str(request["source"]), str(request["other"])
    shares = f"{1 - request['weight']:g} of {_named(first)} and {request['weight']:g} of {_named(second)}"
    return Origin([f"Two models mixed weight by weight: {shares}."], ["merge"], license=_license(first))


def _use(name: str) -> str:
    return (
        "```python\nfrom transformers import pipeline\n\n"
        f'answer = pipeline("text-generation", model="{name}")\n'
        'print(answer([{"role": "user", "content": "Hello!"}], max_new_tokens=100)[0]["generated_text"][-1])\n```'
    )


def _results(metrics: Mapping[str, float]) -> str:
    rows = [
        (meaning, metrics[f"{name}_before"], metrics[f"{name}_after"])
        for name, meaning in _RESULTS.items()
        if f"{name}_before" in metrics and f"{name}_after" in metrics
    ]
    if {"first_loss", "final_loss"} <= metrics.keys():
        rows.insert(0, ("training loss, first and last step", metrics["first_loss"], metrics["final_loss"]))
    shown = [(meaning, f"{before:.4f}", f"{after:.4f}") for meaning, before, after in rows]
    known = [f"{metrics[name]:,} {name}" for name in ("steps", "tokens") if name in metrics]
    return "\n\n".join(filter(None, (_table(("", "before", "after"), shown), ", ".join(known))))


def _data(manifest: Mapping[str, Any]) -> str:
    """The worker's report of each part; where it never came to that, nothing."""
    report = manifest.get("data") or {}
    rows = [
        (
            part, _named(str(each["path"])), each["format"], f"{each['rows_kept']:,}", f"{each['tokens']:,}",
            f"{each['trained_tokens']:,}", f"`{each['fingerprint'][:16]}`",
        )
        for part in ("train", "eval")
        if isinstance(each := report.get(part), dict)
    ]  # fmt: skip
    return _table(("part", "source", "format", "rows", "tokens", "trained tokens", "sha256"), rows)


def _parameters(config: Mapping[str, Any]) -> str:
    """The parameters of training as they are typed, without paths, processes and hosts."""
    hidden = {*_PATHS, *config.get("launcher", {})}
    hidden |= {"algorithm", "adapter", "backend", "callbacks", "data", "launcher", "logger", "model", "recipe"}
    shown = {key: value for key, value in config.items() if key not in hidden and value not in (None, {}, [])}
    return f"```yaml\n{yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)}```"


def _versions(manifest: Mapping[str, Any]) -> str:
    found = {name: manifest.get(name) for name in ("training_hub", "python")} | (manifest.get("versions") or {})
    return _table(("package", "version"), [(name, version) for name, version in found.items() if version])


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return ""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _named(path: str) -> str:
    """A model or a data set as strangers may know it: its id on the hub, or the last part of its path."""
    if _is_hub_id(path):
        return path
    folder = Path(path).expanduser().absolute()
    parts = folder.parts
    return f"`{parts[-3]}`" if folder.name == "final" and parts[-2] == "checkpoints" else f"`{folder.name}`"


def _is_hub_id(path: str) -> bool:
    return path.count("/") == 1 and not path.startswith((".", "/", "~")) and not Path(path).exists()


def _license(base: str) -> dict[str, str]:
    """The license of the base model, where its own card is here and names one."""
    readme = Path(base).expanduser() / "README.md"
    found = ModelCard.load(readme, ignore_metadata_errors=True).data.to_dict() if readme.is_file() else {}
    return {name: found[name] for name in ("license", "license_name", "license_link") if name in found}
