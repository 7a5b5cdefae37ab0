"""Call `main` of one of this package's modules where the package is not installed: `PYTHON start.py MODULE ARGUMENTS`.

The interpreter gets this one package. With the folder above it on PYTHONPATH it would get all that lies beside it as
well: where the package is installed that is a whole site-packages, whose libraries would come before its own.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def offer_package() -> None:
    """Make `training_hub` importable."""
    file = _FOLDER / "__init__.py"
    spec = spec_from_file_location("training_hub", file, submodule_search_locations=[str(_FOLDER)])
    assert spec is not None
    assert spec.loader is not None
    package = module_from_spec(spec)
    sys.modules["training_hub"] = package
    spec.loader.exec_module(package)


def main(module: str, *arguments: str) -> int:
    """Call that module's `main`."""
    if sys.path and sys.path[0] == str(_FOLDER):  # where the script lies; with `-m` the working folder stands there
        sys.path[0] = ""
    status: int = importlib.import_module(module).main(*arguments)
    return status


if __name__ in ("__main__", "__mp_main__"):  # the second name is that in processes which the first one spawns
    offer_package()
if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
