"""Write the support matrix between its two markers into the pages that show it, from the files of `conf/recipe/`.

Run it after adding a recipe: python scripts/support_matrix.py. A test compares the pages with what it makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training_hub.config.choices import entry, read_option, recommended_backend
from training_hub.config.groups import CONF
from training_hub.installed.locate import ALGORITHM, find_class

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "algorithms" / "index.md"]
BEGIN = "<!-- support matrix: made by scripts/support_matrix.py -->"
END = "<!-- end of the support matrix -->"


def matrix() -> str:
    """Two Markdown tables: which pairs exist, and what each backend needs."""
    pairs = {(path.parent.name, path.stem) for path in (CONF / "recipe").glob("*/*.yaml")}
    algorithms, backends = (sorted(set(names)) for names in zip(*pairs, strict=True))
    cells = [
        (f"`{name}`", _summary(name), *(_mark(name, backend, pairs) for backend in backends)) for name in algorithms
    ]
    needs = [(f"`{name}`", *_needs(name)) for name in backends]
    head = ("algorithm", "what it does", *(f"`{name}`" for name in backends))
    return "\n".join([*_table(head, cells), "", *_table(("backend", "runs on", "extra to install"), needs)])


def _mark(algorithm: str, backend: str, pairs: set[tuple[str, str]]) -> str:
    if (algorithm, backend) not in pairs:
        return "-"
    return "default" if backend == recommended_backend(algorithm) else "yes"


def _summary(algorithm: str) -> str:
    documented = find_class(entry("algorithm", algorithm, "algorithm._target_"), ALGORITHM).__doc__
    return str(documented).partition("\n")[0].rstrip(".")


def _needs(backend: str) -> tuple[str, str]:
    node = read_option("backend", backend)
    return "CUDA GPU" if node["needs_gpu"] else "CPU or GPU", f"`{backend}`"  # extras are named after backends


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def updated(text: str) -> str:
    """The page with the matrix of today. ValueError where a marker is missing."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{matrix()}\n\n{END}{after}"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(updated(page.read_text()))
