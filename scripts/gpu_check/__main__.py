"""Run every backend that is here on the GPUs of this machine, and write down what it does.

    python scripts/gpu_check [--gpus 1] [--model FOLDER] [--cells sft/trl,osft/mini-trainer] [--output FOLDER]

For each pair of algorithm and backend: the losses of the first steps, tokens per second in steady state, the most
memory in use, the share of the card's arithmetic that the training made use of, and the time of the whole command
beside that of the library alone. Written to gpu_check.md and gpu_check.json. What is not installed is listed with the
reason. Without --model, a random Llama of 1.5 billion parameters is made, which is as fast as a trained one.

    python scripts/gpu_check --rehearse

takes the same path on a processor, with a model of 60,000 parameters: where a library asks for CUDA it is given the
processor, as in the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from cells import Cell, Settings, all_cells, check
from inputs import make_model, make_rows
from report import write

from training_hub.machine import hardware


def main() -> int:
    """The exit status: 1 where a backend that is here failed."""
    options = parse()
    if not options.rehearse and not hardware.gpus():
        print("no CUDA GPU here; try the way with --rehearse", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        settings = prepared(Path(name), options)
        found: list[dict[str, object]] = []
        for cell in chosen(options.cells):
            found.append(shown(check(cell, settings)))
            table = write(found, settings, options.output)  # so that what was measured stays, whatever comes
    print(f"\n{table}\n\nwritten to {options.output}/gpu_check.md and gpu_check.json")
    return 1 if any(each["status"] == "failed" for each in found) else 0


def prepared(folder: Path, options: argparse.Namespace) -> Settings:
    """A folder with rows, and with a model where none is given."""
    rows = options.steps * options.batch
    make_rows(folder, rows, options.length)
    model = options.model or make_model(folder / "model", "tiny" if options.rehearse else "1b")
    pythons = dict(text.split("=", 1) for text in options.python)
    return Settings(
        folder, model.resolve(), options.gpus, options.steps, options.batch, options.length, options.rehearse, pythons
    )


def chosen(text: str | None) -> list[Cell]:
    """The pairs to check."""
    return [Cell(*pair.split("/")) for pair in text.split(",")] if text else all_cells()


def shown(result: dict[str, object]) -> dict[str, object]:
    """Say how a pair came out while the others still run."""
    print(f"{result['algorithm']} on {result['backend']}: {result['status']} {result.get('reason') or ''}", flush=True)
    return result


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="scripts/gpu_check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rehearse", action="store_true", help="on a processor, with a tiny model")
    parser.add_argument("--cells", help="pairs, e.g. sft/trl,osft/mini-trainer; all by default")
    parser.add_argument("--model", type=Path, help="folder in Hugging Face format")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--steps", type=int, help="optimizer steps; the first two are not in the speed")
    parser.add_argument("--batch", type=int, help="rows per step")
    parser.add_argument("--length", type=int, help="tokens per row, about")
    parser.add_argument(
        "--python", action="append", default=[], metavar="BACKEND=PATH", help="interpreter of a backend"
    )
    parser.add_argument("--output", type=Path, default=Path("outputs/gpu_check"))
    options = parser.parse_args()
    usual = {"steps": 4, "batch": 4, "length": 48} if options.rehearse else {"steps": 22, "batch": 16, "length": 1024}
    for name, value in usual.items():
        setattr(options, name, getattr(options, name) or value)
    return options


if __name__ == "__main__":
    sys.exit(main())
