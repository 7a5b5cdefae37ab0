"""Import circles, imports against the layers, and sizes of files and functions.

    python bench/structure.py

Imports for type checking count as well. The layers are those of pyproject.toml. Lines are all lines of a file, blank
ones and docstrings included.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import grimp
from grimp import ImportGraph, Layer

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "training_hub"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=False)
    sources, tests = (sorted((ROOT / name).rglob("*.py")) for name in (PACKAGE, "tests"))
    files = [count for file in sources if (count := lines(file))]
    functions = [length for file in sources for length in function_lengths(file)]
    rows = [
        ("modules in import circles", sum(map(len, circles(graph))), "0"),
        ("imports against the layers", len(upward(graph)), "0"),
        ("files", len(files), ""),
        ("lines of a file, median", int(statistics.median(files)), "<= 90"),
        ("lines of a file, 95th percentile", percentile(files, 95), "<= 220"),
        ("functions", len(functions), ""),
        ("lines of a function, median", int(statistics.median(functions)), ""),
        ("lines of a function, 95th percentile", percentile(functions, 95), "<= 20"),
        ("lines of tests per line of source", round(sum(map(lines, tests)) / sum(files), 2), ">= 0.8"),
    ]
    print(f"{'':38}{'now':>8}  goal")
    for name, value, goal in rows:
        print(f"{name:38}{value:>8}  {goal}".rstrip())
    for found in [*circles(graph), *upward(graph)]:
        print(" -> ".join(found))


def circles(graph: ImportGraph) -> list[list[str]]:
    """Groups of modules that import each other, directly or not (strongly connected components)."""
    reached = {module: graph.find_upstream_modules(module) for module in graph.modules}
    seen: set[str] = set()
    groups = []
    for module in sorted(graph.modules):
        group = sorted(other for other in reached[module] if module in reached[other])
        if group and module not in seen:
            groups.append(sorted({module, *group}))
            seen.update(groups[-1])
    return groups


def upward(graph: ImportGraph) -> list[tuple[str, str]]:
    """Pairs of modules of which the first imports the second, which stands in a higher layer."""
    illegal = graph.find_illegal_dependencies_for_layers(layers=list(_layers()), containers={PACKAGE})
    return sorted((found.importer, found.imported) for found in illegal)


def _layers() -> Iterator[Layer]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [contract] = [each for each in config["tool"]["importlinter"]["contracts"] if each.get("exhaustive_ignores")]
    for text in contract["layers"]:
        separator = "|" if "|" in text else ":"
        yield Layer(*(name.strip() for name in text.split(separator)), independent=separator == "|")


def lines(file: Path) -> int:
    """Number of lines."""
    return len(file.read_text().splitlines())


def function_lengths(file: Path) -> list[int]:
    """Lines of each function, from its `def` to its last line."""
    found = ast.walk(ast.parse(file.read_text()))
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in found
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def percentile(values: Sequence[int], percent: int) -> int:
    """The smallest value that `percent` of all do not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]


if __name__ == "__main__":
    main()
