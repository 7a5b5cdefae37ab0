"""From a file to rows of token ids and labels: what every backend's worker calls."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import tokenizers
import transformers

from training_hub.data.build import Build
from training_hub.data.cache import Report, cached, fingerprint, key_of
from training_hub.data.chat import ChatTemplate
from training_hub.data.check import setting_faults
from training_hub.data.encode import Encoder
from training_hub.data.ending import ending
from training_hub.data.formats.base import Format
from training_hub.data.origin import seen, template_digest
from training_hub.data.place import cache_folder
from training_hub.data.recognise import Formats
from training_hub.data.rows import Rows
from training_hub.errors import ConfigError, fault

_SETTINGS = (
    "format",
    "accepts",
    "train_on",
    "max_seq_len",
    "too_long",
    "messages_column",
    "document_column",
    "block_size",
    "plain_text",
    "unrenderable",
)


@dataclass(frozen=True)
class Prepared:
    """Rows to train on and rows to evaluate on, None where there are none.

    report: {"train": ..., "eval": ... or None}; each has

        path, format, fingerprint   of the source; the last is the SHA-256 of its content
        seen, chat_template         what tells later on whether the source and the template are the same: see `origin`
        rows_read, rows_kept        rows of the source, all of them and those in this part
        dropped, truncated          {reason: rows}, rows; of the source
        left_out                    {"tools" or "reasoning": rows in which the chat template does not write them}
        notes                       {what else is to be said: rows}; `notes.warnings` makes lines of both
        rows                        rows of tokens: blocks where documents are joined, pairs of preferences
        tokens, trained_tokens, length {min, mean, median, p95, max}   in tokens
        seconds, from_cache         how long it took to prepare, and whether that was at another time
    """

    train: Rows
    eval: Rows | None
    report: dict[str, Any]


def prepare(tokenizer: Any, data: Mapping[str, Any]) -> Prepared:
    """Prepare the data of a run, or find it in the cache.

    tokenizer: a fast tokenizer of transformers, which may have `ends_generation`, ids of tokens that end generation
    besides its own, and `largest_id` of the model's embedding; data: the resolved data node. Safe to call from every
    rank at once.
    Raises ConfigError, with all faulty rows counted, where something is wrong with the data or the settings.
    """
    fraction = float(data["eval_fraction"])
    if faults := setting_faults(data):
        raise ConfigError(*faults)
    encoder = make_encoder(tokenizer, data)
    depends_on = _identity(encoder)
    train, held_out = _source(encoder, depends_on, "data_path", str(data["path"]), fraction)
    if train is None or (fraction and held_out is None):
        raise ConfigError(fault("eval_fraction", fraction, f"leaves no row to {'evaluate' if train else 'train'} on"))
    if data["eval_path"] is not None:
        held_out, _ = _source(encoder, depends_on, "eval_data_path", str(data["eval_path"]), 0.0)
    report = {"train": train[1], "eval": held_out[1] if held_out else None}
    return Prepared(train[0], held_out[0] if held_out else None, report)


Part = tuple[Rows, Report]


def _source(
    encoder: Encoder, depends_on: dict[str, Any], name: str, path: str, fraction: float
) -> tuple[Part | None, Part | None]:
    """The two parts of one source, the second empty where fraction is 0."""
    untouched, content = seen(path), _fingerprint(name, path)
    template = encoder.template and template_digest(encoder.template.source)
    own: Report = {"path": path, "seen": untouched, "chat_template": template}
    split = [fraction, encoder.data["seed"]] if fraction else None
    build = Build(encoder, name, path, content, fraction)
    cache = cache_folder(encoder.data["cache_dir"])
    folder, report = cached(cache, key_of(content=content, split=split, **depends_on), build)
    form = Formats(encoder.data).every[report["format"]]
    own["from_cache"] = report["from_cache"]
    parts = [(form.stored(folder / part), report[part] | own) if report[part] else None for part in ("train", "eval")]
    return parts[0], parts[1]


def _fingerprint(name: str, path: str) -> str:
    try:
        return fingerprint(path)
    except (OSError, ValueError) as error:
        raise ConfigError(fault(name, path, f"cannot be read: {str(error).partition(chr(10))[0]}")) from error


def make_encoder(tokenizer: Any, data: Mapping[str, Any]) -> Encoder:
    """What the pipeline needs of a tokenizer, taken out of it. ConfigError where it is not a fast one."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, tokenizers.Tokenizer):
        rule = f"its tokenizer, {type(tokenizer).__name__}, knows no character offsets"
        raise ConfigError(fault("model_path", tokenizer.name_or_path, rule, "convert it to a tokenizer.json"))
    if backend.padding is not None or backend.truncation is not None:
        backend = tokenizers.Tokenizer.from_str(backend.to_str())  # the caller's stays as it is
        backend.no_padding()
        backend.no_truncation()
    eos = tokenizer.eos_token or ""
    adds_eos = bool(eos) and backend.encode("a").ids[-1] == backend.token_to_id(eos)
    known = {"largest_id": _largest_id(tokenizer, backend)}
    return Encoder(backend, _template(tokenizer, data), "" if adds_eos else eos, {**data, **known})


def _largest_id(tokenizer: Any, backend: tokenizers.Tokenizer) -> int:
    """The largest id that both the model's embedding and its tokenizer know."""
    of_model = getattr(tokenizer, "largest_id", None)
    of_tokens = max(backend.get_vocab().values())
    return of_tokens if of_model is None else min(of_model, of_tokens)


def _template(tokenizer: Any, data: Mapping[str, Any]) -> ChatTemplate | None:
    chosen = data["chat_template"]
    source = Path(chosen).read_text("utf-8") if chosen else getattr(tokenizer, "chat_template", None)
    if isinstance(source, dict):
        source = source.get("default")
    if not source:
        return None
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    variables = dict(tokenizer.special_tokens_map) | data["chat_template_kwargs"]
    return ChatTemplate(source, variables, special, ending(tokenizer, data["end_of_turn"]))


def _identity(encoder: Encoder) -> dict[str, Any]:
    """Everything that the tokens depend on besides the source. Some templates write today's date."""
    template = encoder.template
    asked = Formats(encoder.data).asked
    dated = template is not None and "strftime_now" in template.source
    return {
        "tokenizer": hashlib.sha256(encoder.tokenizer.to_str().encode()).hexdigest(),
        "versions": [tokenizers.__version__, transformers.__version__],
        "template": [template.source, template.variables] if template else None,
        "ending": [template.ending.token, template.ending.always, sorted(template.ending.stops)] if template else None,
        "date": date.today().isoformat() if dated else None,
        "eos": encoder.eos,
        "largest_id": encoder.data["largest_id"],
        "settings": {name: encoder.data[name] for name in _SETTINGS},
        "formats": {name: _code(each) | encoder.data["formats"][name] for name, each in asked.items()},
    }


def _code(form: Format) -> dict[str, str]:
    """What tells the code of a format from another version of it."""
    source = inspect.getsourcefile(type(form))
    return {"code": hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""}
