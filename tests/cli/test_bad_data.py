"""Wrong rows of every format, and settings that do not fit them: one line, exit status 2, nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training_hub.cli import main

USER, ASSISTANT = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
CHAT = {"messages": [USER, ASSISTANT]}
TEXT = {"prompt": "p", "completion": "c"}
TURNS = {"prompt": [USER], "completion": [ASSISTANT]}
ALPACA = {"instruction": "a", "output": "b"}
DOCUMENT = {"document": "a"}
TOKENS = {"input_ids": [1, 2], "labels": [-100, 2]}
PAIR = {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [{"role": "assistant", "content": "c"}]}
PLAIN_PAIR = {"prompt": "p", "chosen": "a", "rejected": "b"}
DPO = ["algorithm=dpo"]
STRANGER = {"role": "bot", "content": "b"}
ROLES = "role 'bot' is none of system, developer, user, assistant, tool, function, ipython"

# A good row, settings, the row after it, and what is said of that.
ROWS: dict[str, tuple[dict[str, Any], list[str], dict[str, Any], str]] = {
    "messages: a wrong role": (CHAT, [], {"messages": [USER, STRANGER]}, f"message 2: {ROLES}"),
    "messages: empty": (CHAT, [], {"messages": []}, '"messages" is empty'),
    "messages: no assistant turn": (CHAT, [], {"messages": [USER]}, "no assistant turn"),
    "messages: an empty assistant turn": (
        CHAT, [], {"messages": [USER, ASSISTANT | {"content": ""}]}, "no assistant turn",
    ),
    "messages: the column is missing": (CHAT, [], {"talk": []}, '"messages" is missing'),
    "prompt_completion: a wrong role": (
        TURNS, [], TURNS | {"completion": [STRANGER]}, f"message 1: {ROLES}",
    ),
    "prompt_completion: an empty prompt of messages": (TURNS, [], TURNS | {"prompt": []}, '"prompt" is empty'),
    "prompt_completion: an empty completion of messages": (
        TURNS, [], TURNS | {"completion": []}, '"completion" is empty',
    ),
    "prompt_completion: no assistant turn": (TURNS, [], TURNS | {"completion": [USER]}, "no assistant turn"),
    "prompt_completion: an empty completion": (TEXT, [], TEXT | {"completion": ""}, '"completion" is empty'),
    "prompt_completion: text and messages": (
        TEXT, [], TEXT | {"completion": [ASSISTANT]}, '"prompt" and "completion" are not both text or both messages',
    ),
    "prompt_completion: no completion": (TEXT, [], {"prompt": "p"}, '"completion" is missing'),
    "alpaca: no output": (ALPACA, [], {"instruction": "a"}, '"output" is missing'),
    "alpaca: an empty output": (ALPACA, [], ALPACA | {"output": ""}, '"output" is empty'),
    "alpaca: an input that is no text": (ALPACA, [], ALPACA | {"input": 3}, '"input" is not text'),
    "document: missing": (DOCUMENT, [], {"text": "a"}, '"document" is missing'),
    "document: no text": (DOCUMENT, ["is_pretraining=true"], {"document": 3}, '"document" is not text'),
    "tokens: no labels": (TOKENS, [], {"input_ids": [1]}, '"labels" is missing'),
    "tokens: empty": (TOKENS, [], {"input_ids": [], "labels": []}, '"input_ids" is empty'),
    "tokens: of two lengths": (
        TOKENS, [], {"input_ids": [1], "labels": [1, 2]}, '"input_ids" has 1 entries and "labels" 2',
    ),
    "preference: equal answers": (PAIR, DPO, PAIR | {"rejected": [ASSISTANT]}, '"chosen" equals "rejected"'),
    "preference: equal texts": (PLAIN_PAIR, DPO, PLAIN_PAIR | {"rejected": "a"}, '"chosen" equals "rejected"'),
    "preference: a wrong role": (PAIR, DPO, PAIR | {"rejected": [STRANGER]}, f"message 1: {ROLES}"),
    "preference: no answer": (PAIR, DPO, PAIR | {"chosen": []}, '"chosen" is empty'),
    "preference: no assistant turn": (PAIR, DPO, PAIR | {"chosen": [USER]}, "no assistant turn"),
    "preference: an empty prompt": (PAIR, DPO, PAIR | {"prompt": []}, '"prompt" is empty'),
    "preference: no rejected answer": (PAIR, DPO, {"prompt": [USER], "chosen": [ASSISTANT]}, '"rejected" is missing'),
}  # fmt: skip

# The only row, settings, and the whole answer.
SETTINGS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "pairs for sft": (
        PAIR,
        [],
        "data_path=rows.jsonl: the rows have the format preference, this algorithm reads alpaca, document, messages, "
        "prompt_completion, tokens",
    ),
    "chats for dpo": (
        CHAT, DPO, "data_path=rows.jsonl: the rows have the format messages, this algorithm reads preference",
    ),
    "chats for pretraining": (
        CHAT,
        ["is_pretraining=true"],
        'data_path=rows.jsonl: the rows have no column "document", only messages; name it with data.document_column',
    ),
    "an unknown column of documents": (
        DOCUMENT,
        ["is_pretraining=true", "document_column_name=body"],
        'data_path=rows.jsonl: the rows have no column "body", only document; name it with data.document_column',
    ),
    "an unknown column of conversations": (
        CHAT,
        ["data.format=messages", "data.messages_column=talk"],
        'data_path=rows.jsonl: the rows have no column "talk", only messages; name it with data.messages_column',
    ),
    "a column of documents for conversations": (
        CHAT, ["document_column_name=text"], "document_column_name=text: the rows have the format messages; drop it",
    ),
    "a column of conversations for documents": (
        DOCUMENT,
        ["data.messages_column=talk"],
        "data.messages_column=talk: the rows have the format document; drop it",
    ),
    "blocks of conversations": (
        CHAT, ["block_size=64"], "data.block_size=64: rows of the format messages are not cut into blocks; drop it",
    ),
    "no chat template": (
        CHAT,
        [],
        "model_path=model: its tokenizer has no chat template, and the rows are conversations; "
        "give one with data.chat_template=FILE.jinja",
    ),
    "no chat template for a prompt of messages": (
        TURNS,
        [],
        "model_path=model: its tokenizer has no chat template, and the rows are conversations; "
        "give one with data.chat_template=FILE.jinja",
    ),
    "a chat template that is not there": (
        CHAT, ["data.chat_template=nix.jinja"], "data.chat_template=nix.jinja: no such file",
    ),
    "rank 0": (CHAT, ["algorithm=lora_sft", "lora_r=0"], "lora_r=0: must be greater than 0"),
    "a ratio above 1": (
        CHAT,
        ["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=1.5"],
        "unfreeze_rank_ratio=1.5: must be less than or equal to 1",
    ),
    "a ratio below 0": (
        CHAT,
        ["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=-0.1"],
        "unfreeze_rank_ratio=-0.1: must be greater than or equal to 0",
    ),
    "no target module": (
        CHAT, ["algorithm=lora_sft", "target_modules=[]"], "target_modules=[]: must have at least 1 item",
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a model whose tokenizer has no chat template."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for name in ("config", "tokenizer_config"):
        (tmp_path / "model" / f"{name}.json").write_text("{}")
    return tmp_path


def answer(folder: Path, rows: list[dict[str, Any]], words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = sorted(folder.rglob("*"))
    status = main(["model_path=model", "data_path=rows.jsonl", *words])
    said = capsys.readouterr()
    assert (status, said.out, sorted(folder.rglob("*"))) == (2, "", before)
    return said.err


@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_row_is_one_line(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, words, bad, fault = ROWS[name]
    (folder / "model" / "chat_template.jinja").write_text("{{ messages }}")
    expected = f"data_path=rows.jsonl: line 2: {fault} (1 of 2 lines)\n"
    assert answer(folder, [good, bad], words, capsys) == expected


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_does_not_fit_the_rows_is_one_line(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, words, fault = SETTINGS[name]
    if not name.startswith("no chat template"):
        (folder / "model" / "chat_template.jinja").write_text("{{ messages }}")
    assert answer(folder, [row], words, capsys) == f"{fault}\n"


@pytest.mark.parametrize("row", [TEXT, ALPACA, DOCUMENT, TOKENS])
def test_rows_without_turns_need_no_chat_template(
    row: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "rows.jsonl").write_text(json.dumps(row))
    assert main(["plan", "model_path=model", "data_path=rows.jsonl"]) == 0, capsys.readouterr().err
