"""The Jargon File as a task: what does a word mean? 4.4.7, in the public domain, Debian's package dict-jargon."""

from __future__ import annotations

import gzip
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

JARGON = Path("/usr/share/dictd/jargon.dict.dz")


def definitions() -> list[dict[str, Any]]:
    """The words of the Jargon File with the first paragraph of each, where it is neither long nor short, shuffled."""
    if not JARGON.exists():
        sys.exit(f"{JARGON}: no such file; apt-get install dict-jargon")
    rows = []
    for word, text in entries(gzip.decompress(JARGON.read_bytes()).decode()):
        if 100 <= len(text) <= 400:
            asked = f'What does "{word}" mean?'
            rows.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": text}]})
    random.Random(0).shuffle(rows)
    return rows


def entries(jargon: str) -> Iterator[tuple[str, str]]:
    """Each word and its first paragraph.

    A word stands at the margin; below it, indented by less than 4, how it is spoken, and by 4, what it means.
    """
    for word, body in re.findall(r"^(\S.*)\n((?:[ \t].*\n|\n)+)", jargon, flags=re.MULTILINE):
        paragraphs = [" ".join(each.split()) for each in re.split(r"\n\s*\n", body) if each.startswith("    ")]
        if paragraphs and not word.startswith("00-database"):
            yield word.strip(), re.sub(r"[{}]|^1\. ", "", paragraphs[0])
