"""How `plan` walks through the modules: stays in them, returns to one already left, climbs to a higher layer.

    python bench/path_of_plan.py model_path=MODEL data_path=FILE

Each distinct call between two functions of the package counts once, when it is first made: rows and settings are many,
the way is one. A stay is a run of such calls into one module; a return, a stay in a module that was left before; a
climb, a call into a module that the layers of pyproject.toml place above the caller's. Constructors and properties of
classes count as any other function; comprehensions do not.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import Counter
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from training_hub import catalogue, train

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = f"{ROOT / 'training_hub'}/"
Call = tuple[str, str, str, str]  # module and function of the caller, and of what it calls


def layers() -> dict[str, int]:
    """Each part of the package by the number of its layer, 0 at the bottom; siblings may share one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    listed = next(each["layers"] for each in contracts if each.get("containers") == ["training_hub"])
    return {
        name.strip(): number
        for number, layer in enumerate(reversed(listed))
        for name in layer.replace("|", ":").split(":")
    }


def where(frame: FrameType | None) -> tuple[str, str] | None:
    """Module and function of the nearest frame that is the package's and no comprehension."""
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_code.co_qualname
        if file.startswith(PACKAGE) and not name.endswith(">"):
            return file.removeprefix(PACKAGE).removesuffix(".py"), name
        frame = frame.f_back
    return None


def followed(action: Any) -> list[Call]:
    """The distinct calls that an action makes between functions of the package, in their order."""
    calls: dict[Call, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        callee, caller = where(frame), where(frame.f_back)
        if callee and caller and not frame.f_code.co_qualname.endswith(">"):
            calls.setdefault((*caller, *callee))

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return list(calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="+", help="a run: model_path=MODEL data_path=FILE ...")
    parser.add_argument("--show", action="store_true", help="print every call as well")
    options = parser.parse_args()
    train.plan(catalogue.composed(options.overrides))  # what is imported or cached by the first is no part of the way
    composition = catalogue.composed(options.overrides)
    calls = followed(lambda: train.plan(composition))
    rank = layers()
    stays = [module for module, _ in groupby(callee for _, _, callee, _ in calls)]
    climbs = [call for call in calls if rank[call[2].split("/")[0]] > rank[call[0].split("/")[0]]]
    for call in calls if options.show else ():
        caller, asking, callee, asked = call
        print(f"{'CLIMB' if call in climbs else '':6}{caller}.{asking} -> {callee}.{asked}")
    modules = len(set(stays))
    counts = {"calls": len(calls), "stays": len(stays), "modules": modules, "returns": len(stays) - modules}
    print("  ".join(f"{name} {count}" for name, count in (counts | {"climbs": len(climbs)}).items()))
    asked_by_others = Counter(callee for caller, _, callee, _ in calls if caller != callee)
    print("most asked by others:", ", ".join(f"{name} {count}" for name, count in asked_by_others.most_common(8)))


if __name__ == "__main__":
    main()
