"""The rows of a run as a library's script reads them: JSON lines of token ids and labels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training_hub.data.labels import IGNORED
from training_hub.data.prepare import Prepared
from training_hub.data.rows import Rows
from training_hub.run import RunDir


def save_chat_template(config: dict[str, Any], checkpoint: Path) -> None:
    """Give a checkpoint the chat template that it was trained with, where that is not the model's own."""
    if config["data"]["chat_template"]:
        (checkpoint / "chat_template.jinja").write_text(Path(config["data"]["chat_template"]).read_text())


def write(run: RunDir, data: Prepared) -> None:
    """Write the rows to train on, and those to evaluate on where there are any."""
    run.prepared.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", data.train), ("eval", data.eval)):
        if part is not None:
            unfinished = run.prepared / f".{name}.{os.uname().nodename}"  # each machine writes the same
            with unfinished.open("w") as file:
                file.writelines(_lines(part))
            unfinished.rename(run.prepared / f"{name}.jsonl")


def _lines(part: Rows) -> Iterator[str]:
    """A row a line. The first token of a row is nowhere trained.

    Nothing in its row predicts it. But the libraries lay rows end to end, where the last token of the row before would,
    and they would add that to the loss without counting it.
    """
    for ids, labels in (part[number] for number in range(len(part))):
        trained = [IGNORED, *labels[1:].tolist()]
        counted = sum(label != IGNORED for label in trained)
        row = {"input_ids": ids.tolist(), "labels": trained, "len": len(ids), "num_loss_counted_tokens": counted}
        yield json.dumps(row) + "\n"
