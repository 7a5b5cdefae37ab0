"""Record the arguments of the installed libraries: `conf/backend/NAME.tested.json`, which `doctor` compares with.

python scripts/record_arguments.py          # the backends whose libraries are installed
python scripts/record_arguments.py trl      # some
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from training_hub.config.choices import options
from training_hub.config.groups import CONF
from training_hub.installed import trust
from training_hub.verbs.doctor.drift import record


def main(words: Sequence[str]) -> None:
    """Write the files."""
    names = [word for word in words if "=" not in word]
    python = next((word.removeprefix("python=") for word in words if word.startswith("python=")), None)
    trust.allow(pythons=[python] if python else [])
    for name in names or options("backend"):
        found = record(name, python)
        if None in found["arguments"].values():
            print(f"{name}: not installed, left as it is")
            continue
        (CONF / "backend" / f"{name}.tested.json").write_text(text(found))
        print(f"conf/backend/{name}.tested.json")


def text(found: dict[str, Any]) -> str:
    """As it stands in the file."""
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
