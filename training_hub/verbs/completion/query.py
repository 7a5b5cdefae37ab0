"""What may stand at the end of a command line that is being typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from training_hub.command_line import finding
from training_hub.command_line.flags import EVERYWHERE, OF_HYDRA, OF_RUNS, values_of
from training_hub.command_line.verb import Verb
from training_hub.errors import HubError
from training_hub.verbs.completion import files

_TOKEN = re.compile(r"""(?:\\.|"[^"]*"?|'[^']*'?|[^\s\\"'])+""")


def replies(line: str, breaks: str) -> list[str]:
    """What the shell may put in place of the last word, or of its part after one of the breaks.

    line: up to the cursor, the program included. Nothing where the line makes no sense.
    """
    tokens = _TOKEN.findall(line)
    raw = tokens.pop() if tokens and line.endswith(tokens[-1]) else ""
    start = tokens.index("training_hub") + 1 if "-m" in tokens and "training_hub" in tokens else 1
    if not tokens:
        return []
    words, current = [plain(each) for each in tokens[start:]], plain(raw)
    quote = _open_quote(raw)
    kept = max((raw.rfind(each) + 1 for each in f"=:{quote}" if each in breaks + quote), default=0)
    try:
        found = dict.fromkeys(each for each in candidates(words, current) if each.startswith(current))
    except HubError:
        return []
    return [quoted(each, current, raw)[kept:] for each in found]


def plain(raw: str) -> str:
    """A word without its quotes and backslashes; a quote may still be open."""
    for ending in ("", '"', "'"):
        try:
            return "".join(shlex.split(raw + ending))
        except ValueError:
            continue
    return raw.rstrip("\\")


def _open_quote(raw: str) -> str:
    """The quote that is still open at the end of a word, "" where none is."""
    try:
        shlex.split(raw)
    except ValueError:
        return max("'\"", key=raw.rfind)
    return ""


def quoted(word: str, current: str, raw: str) -> str:
    """A word as it continues what was typed: what is typed stays, what is added is quoted for the shell."""
    if _open_quote(raw):
        return raw + word.removeprefix(current)
    return raw + re.sub(r"([^\w@%+=:,./~\[\]-])", r"\\\1", word.removeprefix(current))


def candidates(words: Sequence[str], current: str) -> Iterator[str]:
    """Whole words that may stand where the last one is typed, among others."""
    before = words[-1] if words else ""
    typed = [word for word in words if not word.startswith("-")]
    name = typed[0] if typed and typed[0] in finding.names() else ""
    verb = finding.load(name or finding.DEFAULT)
    if typed and not name and "=" not in typed[0]:
        return  # no verb, and no setting
    if before in ("--config-dir", "-cd"):
        yield from files.below(current)
    elif known := values_of(before):
        yield from known
    elif current.startswith("-"):
        yield from _flags(verb, name)
    else:
        yield from _words(name, verb, typed[bool(name) :], words, current)


def _words(name: str, verb: Verb, typed: Sequence[str], words: Sequence[str], current: str) -> Iterator[str]:
    """The verb, a word of its, or a setting."""
    if not name and not typed:
        yield from finding.names()
    place = min(len(typed), len(verb.words) - 1)
    if verb.words and "=" not in current and (len(typed) < len(verb.words) or verb.words[place].several):
        yield from files.of_word(verb.words[place].completes, current)
        return
    if (name or typed or current) and (verb.overrides or verb.settings):
        from training_hub.verbs.completion.settings import settings

        yield from settings(verb, words, current)


def _flags(verb: Verb, name: str) -> Iterator[str]:
    yield from (spelled for flag in verb.flags for spelled in flag.names)
    shown = EVERYWHERE | (OF_RUNS if verb.overrides else {}) | ({} if name else OF_HYDRA)
    yield from (text.split()[0] for text in shown if verb.sweeps or text != "-m")
