"""What counts as a secret, in any text: the front refuses to write one, and everything hides those that it shows.

A secret is the value of an environment variable of this process that is named like one, what stands before the `@` of a
URL, what has the shape of a known access token, or what is assigned to a name such as `password`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

HIDDEN = "***"
_ENDS_WORD = r"(?=_|\d*$|\d+_)"
_VARIABLE = re.compile(
    r"(?:^|_)(?:[A-Z0-9]*(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|APIKEY|WEBHOOK)S?"
    r"|[A-Z]*PASS|PW|PWD|PAT|PIN|AUTH(?:ORIZATION)?|KEYS?|DSN|JWT|CREDS?|COOKIE|BEARER|SIGNATURE)" + _ENDS_WORD,
    re.IGNORECASE,
)
_NO_VARIABLE = re.compile(r"(?:OLD)?PWD|.*_(?:FILE|PATH|DIR|SOCK|TYPE|NAME|PUBLIC_KEY)", re.IGNORECASE)
_SHORTEST, _SHORTEST_NUMBER, _LONG = 4, 6, 8
# Values that mean "none", "any" or "switched on": as secrets they would hide half of what is shown.
_COMMON = re.compile(
    "true|false|none|null|auto|defaults?|(?:en|dis)abled?|required|optional|basic|bearer|empty|dummy|test|main|master|local"
    "|localhost|yes|prod|secret|token|password|user|admin|anonymous|public|changeme|simple|plain|native|online|offline",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[\d.]+")
_NUMBER = re.compile(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?")

_SCHEME = r"(?<![\w+.-])(?P<scheme>[a-z][a-z0-9+.-]*)://"
# A password may hold what a URL should have escaped; but `host:8080/path@v1` has a port, not a password.
_USERINFO = re.compile(_SCHEME + r"(?P<user>[^\s/@:'\"<>]*):(?!\d{1,5}(?:[/?#]|$))(?P<password>[^\s'\"<>]+)@", re.I)
_USER = re.compile(r"(?<![\w.-])(?P<scheme>(?:git\+|svn\+|hg\+)?https?|wss?|ftps?)://(?P<user>[^\s/@'\"<>]+)@", re.I)
_QUERY = re.compile(
    r"(?P<key>[?&;](?:[\w-]*(?:token|secret|password|passwd|passphrase|signature|api_?key)|sig|auth|key|pwd)=)(?!\*\*\*)[^\s&'\"]*[^\s&'\":]",
    re.IGNORECASE,
)
_STRONG = (
    r"(?:[\w.-]*[_.-])?(?:[a-z]*password|passwd|passphrase|pwd|secret|secret[_-]?key|client[_-]?secret|api[_-]?key"
    r"|account[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|credentials?"
    r"|(?:hub|hf|access|auth|api|bearer|refresh|session|id|personal)[_-]?token)"
)
NAMED = re.compile(_STRONG, re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?P<key>(?<![\w./-])['\"]?" + _STRONG + r"['\"]?\s?[=:]\s?)(?!\s|\*\*\*|\.\.\.|\$\{|null\b|None\b)"
    r"(?P<value>\"[^\"\n]+\"|'[^'\n]+'|[^\s,;}\]'\"]*[^\s,;}\]'\":])",
    re.IGNORECASE,
)
_SHAPES = {
    "an access token of Hugging Face": r"(?:hf|api_org)_[A-Za-z0-9]{20,}",
    "an access token of GitHub": r"gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}",
    "an access token of GitLab": r"gl(?:pat|cbt|ptt|rt|dt|soat)-[\w-]{20,}",
    "an API key": (
        r"sk-(?:proj|svcacct|admin|ant|or)-[\w-]{20,}|sk-[A-Za-z0-9]{20,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
        r"|AIza[\w-]{30,}|nvapi-[\w-]{20,}|gsk_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}"
        r"|wandb_v\d_\w{20,}|tgp_v\d_[\w-]{20,}|fw_[A-Za-z0-9]{20,}|pplx-[A-Za-z0-9]{20,}"
    ),
    "an access key of AWS": r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
    "an access token": (
        r"xox[abeoprs]-[\w-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{20,}|dckr_pat_[\w-]{20,}|dapi[0-9a-f]{32}|hvs\.[\w-]{20,}"
    ),
    "a JSON Web Token": r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----|[\s\S]*)",
}
_SHAPE = {kind: re.compile(rf"(?<![A-Za-z0-9])(?:{shape})") for kind, shape in _SHAPES.items()}
_ANY_SHAPE = re.compile("|".join(each.pattern for each in _SHAPE.values()))


class Known(NamedTuple):
    """Secrets of the environment: text -> variable. long: found anywhere; short: as whole words alone."""

    long: dict[str, str]
    short: dict[str, str]
    pattern: re.Pattern[str] | None


def redacted(text: str) -> str:
    """A text without its secrets."""
    text = _USERINFO.sub(rf"\g<scheme>://{HIDDEN}@", text)
    text = _USER.sub(rf"\g<scheme>://{HIDDEN}@", text)
    text = _ASSIGNED.sub(rf"\g<key>{HIDDEN}", _QUERY.sub(rf"\g<key>{HIDDEN}", text))
    text = _ANY_SHAPE.sub(HIDDEN, text)
    pattern = environment().pattern
    return pattern.sub(HIDDEN, text) if pattern else text


def variable_in(text: str, known: Known, whole_words: bool = True) -> str | None:
    """The environment variable whose secret stands in a text, None where none does.

    known: `environment()`, asked once for many texts. whole_words: look for short values too, which may be ordinary
    words, such as `swordfish`.
    """
    for match in known.pattern.finditer(text) if known.pattern else ():
        if name := known.long.get(match[0]) or (known.short.get(match[0]) if whole_words else None):
            return name
    return None


def secret_in(text: str) -> str | None:
    """What kind of secret a text holds by its looks: `a password`; None where it holds none."""
    text = _without_hidden(text)
    if match := _USERINFO.search(text):
        return "a password" if match["password"] else "an access token"
    if _USER.search(text):
        return "a user name or an access token before the @"
    if kind := next((kind for kind, shape in _SHAPE.items() if shape.search(text)), None):
        return kind
    return "a password or a key" if _QUERY.search(text) or _ASSIGNED.search(text) else None


def _without_hidden(text: str) -> str:
    return text.replace(f"{HIDDEN}@", "")


def environment() -> Known:
    """The secrets of this process's environment, as it is now."""
    return _known(tuple(os.environ.items()))


@lru_cache(maxsize=4)
def _known(variables: tuple[tuple[str, str], ...]) -> Known:
    long: dict[str, str] = {}
    short: dict[str, str] = {}
    for name, value in variables:
        for secret in _secrets(name, value.strip()):
            is_plain = len(secret) < _LONG or _WORD.fullmatch(secret)
            for spelling in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
                (short if is_plain else long).setdefault(spelling, name)
    shapes = [re.escape(each) for each in sorted(long, key=len, reverse=True)]
    words = [re.escape(each) for each in sorted(short, key=len, reverse=True)]
    shapes += [rf"(?<![A-Za-z0-9])(?:{'|'.join(words)})(?![A-Za-z0-9])"] if words else []
    return Known(long, short, re.compile("|".join(shapes)) if shapes else None)


def _secrets(name: str, value: str) -> Iterator[str]:
    """The secrets in one variable of the environment."""
    if match := _USERINFO.search(value):  # whatever its name is: DATABASE_URL, http_proxy
        yield from (each for each in (value, match["password"]) if len(each) >= _SHORTEST)
    elif match := _USER.search(value):
        yield from (each for each in (value, match["user"]) if len(each) >= _LONG)
    elif _names_secret(name) and not _is_ordinary(name, value):
        yield value
        yield from (line for line in value.splitlines()[1:-1] if len(line) > 2 * _LONG)  # of a private key


def _names_secret(name: str) -> bool:
    return bool(_VARIABLE.search(name) and not _NO_VARIABLE.fullmatch(name))


def _is_ordinary(name: str, value: str) -> bool:
    """Whether a value is no secret whatever its variable is called: a word like `auto`, a number, a path, a URL."""
    shortest = _SHORTEST_NUMBER if _NUMBER.fullmatch(value) else _SHORTEST
    if len(value) < shortest or _COMMON.fullmatch(value):
        return True
    if value.startswith(("/", "~/", "./", "../")):
        return len(value) < 300 and Path(os.path.expanduser(value)).parent.is_dir()  # noqa: PTH111  there may be no home
    return "://" in value and "webhook" not in name.lower() and secret_in(value) is None
