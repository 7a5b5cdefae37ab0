"""On the path of a test's process: importing anything heavy fails there."""

import sys
from importlib.abc import MetaPathFinder

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "numpy", "pyarrow", "pandas", "matplotlib", "accelerate"}


class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HEAVY:
            raise AssertionError(f"the front imports {name}")
        return


sys.meta_path.insert(0, Refuse())
