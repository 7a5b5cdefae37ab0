"""Lock the environments of the backends: `conf/backend/NAME.lock`, made by uv from `requires` in `NAME.yaml`.

    python scripts/lock_environments.py             # all backends
    python scripts/lock_environments.py trl         # some
    python scripts/lock_environments.py --upgrade   # what constraints.txt does not pin: the newest versions

The versions of constraints.txt, which were tested, are taken wherever the backend allows them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ROOT / "conf" / "backend"
HEADER = "# The tested versions of all that backend={name} brings along; made by scripts/lock_environments.py\n"


def main(words: Sequence[str]) -> None:
    """Write the locks."""
    names = [word for word in words if word != "--upgrade"] or sorted(file.stem for file in BACKENDS.glob("*.yaml"))
    for name in names:
        (BACKENDS / f"{name}.lock").write_text(lock(name, "--upgrade" in words))
        print(f"conf/backend/{name}.lock")


def lock(name: str, upgrade: bool = False) -> str:
    """The text of a lock. upgrade: take no version from the lock that is there."""
    asked = yaml.safe_load((BACKENDS / f"{name}.yaml").read_text())["requires"]
    with TemporaryDirectory() as folder:
        wanted, locked = Path(folder, "wanted.in"), Path(folder, "locked.txt")
        wanted.write_text("\n".join(asked))
        locked.write_text(preferred(BACKENDS / f"{name}.lock", upgrade))  # uv keeps what it can of the file's versions
        options = ["--quiet", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate"]
        command = [find_uv_bin(), "pip", "compile", *options, str(wanted), "--output-file", str(locked)]
        subprocess.run(command, cwd=ROOT, check=True)
        return HEADER.format(name=name) + locked.read_text()


def preferred(old: Path, upgrade: bool) -> str:
    """A version for each package: that of constraints.txt, else that of the old lock."""
    files = [ROOT / "constraints.txt", *([old] if old.exists() and not upgrade else [])]
    versions: dict[str, str] = {}
    for file in files:
        for line in file.read_text().splitlines():
            if not line.startswith("#"):
                versions.setdefault(line.partition("==")[0].lower().replace("_", "-"), line)
    return "\n".join(versions.values())


if __name__ == "__main__":
    main(sys.argv[1:])
