"""From a file to rows of tokens: what is kept, cut, dropped, held out, cached and refused."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training_hub.data.labels import IGNORED
from training_hub.data.prepare import Prepared, prepare
from training_hub.data.rows import PreferenceRows, TokenRows
from training_hub.errors import ConfigError

TEMPLATE = str(Path(__file__).parent / "templates" / "smollm.jinja")
Make = Callable[..., dict[str, Any]]


def talk(question: str = "Weather?", answer: str = "It rains.") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def made(tokenizer: Any, node: Make, rows: list[Any], **changes: Any) -> Prepared:
    return prepare(tokenizer, node(rows, **{"chat_template": TEMPLATE} | changes))


def refused(tokenizer: Any, node: Make, rows: list[Any], **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        made(tokenizer, node, rows, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def words(tokenizer: Any, row: Any) -> tuple[str, str]:
    """The whole text of a row and the trained part of it."""
    ids, labels = row
    return tokenizer.decode(ids.tolist()), tokenizer.decode(labels[labels != IGNORED].tolist())


def test_rows_are_views_of_ids_and_labels(tokenizer: Any, node: Make) -> None:
    rows = made(tokenizer, node, [talk(), talk("More?", "No.")]).train
    assert isinstance(rows, TokenRows)
    assert len(rows) == 2
    ids, labels = rows[1]
    assert ids.dtype == labels.dtype == np.int32
    assert not ids.flags.writeable
    assert ((labels == ids) | (labels == IGNORED)).all()
    assert words(tokenizer, rows[-1])[1] == "No.<|im_end|>"
    assert rows.lengths.tolist() == [len(each[0]) for each in rows]
    assert rows.trained.tolist() == [int((each[1] != IGNORED).sum()) for each in rows]
    with pytest.raises(IndexError):
        rows[2]


def test_rows_pickle_as_their_path(tokenizer: Any, node: Make) -> None:
    rows = made(tokenizer, node, [talk()] * 50).train
    again = pickle.loads(pickle.dumps(rows))
    assert len(pickle.dumps(rows)) < 1000
    assert again[3][0].tolist() == rows[3][0].tolist()


def test_the_report_accounts_for_every_row(tokenizer: Any, node: Make) -> None:
    prepared = made(tokenizer, node, [talk()] * 3)
    report = prepared.report["train"]
    assert prepared.report["eval"] is None
    assert json.loads(json.dumps(report)) == report
    assert (report["rows_read"], report["rows_kept"], report["rows"]) == (3, 3, 3)
    assert report["tokens"] == prepared.train.lengths.sum()
    assert report["trained_tokens"] == prepared.train.trained.sum()
    length = int(prepared.train.lengths[0])
    assert report["length"] == {"min": length, "mean": length, "median": length, "p95": length, "max": length}
    assert (report["dropped"], report["truncated"], report["from_cache"]) == ({}, 0, False)


def test_alpaca_becomes_turns_where_there_is_a_chat_template(tokenizer: Any, node: Make) -> None:
    row = {"instruction": "Add.", "input": "1 + 1", "output": "2"}
    whole, trained = words(tokenizer, made(tokenizer, node, [row]).train[0])
    assert whole.endswith("<|im_start|>user\nAdd.\n\n1 + 1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n")
    assert trained == "2<|im_end|>"


def test_alpaca_becomes_plain_text_where_there_is_none(tokenizer: Any, node: Make) -> None:
    rows = [{"instruction": "Add.", "input": "1 + 1", "output": "2"}, {"instruction": "Hi.", "output": "Ho."}]
    prepared = made(tokenizer, node, rows, chat_template=None)
    assert words(tokenizer, prepared.train[0]) == (
        "### Instruction:\nAdd.\n\n### Input:\n1 + 1\n\n### Response:\n2</s>",
        "2</s>",
    )
    assert words(tokenizer, prepared.train[1])[0] == "### Instruction:\nHi.\n\n### Response:\nHo.</s>"


def test_of_prompt_and_completion_the_completion_is_trained(tokenizer: Any, node: Make) -> None:
    row = {"prompt": "One and one is", "completion": " two."}
    plain = made(tokenizer, node, [row], chat_template=None).train[0]
    assert words(tokenizer, plain) == ("One and one is two.</s>", " two.</s>")
    chat = {"prompt": talk()["messages"], "completion": talk("Sure?", "Yes.")["messages"]}
    assert words(tokenizer, made(tokenizer, node, [chat]).train[0])[1] == "Yes.<|im_end|>"


def test_text_and_chat_may_be_mixed(tokenizer: Any, node: Make) -> None:
    chat = {"prompt": talk()["messages"][:1], "completion": talk()["messages"][1:]}
    mixed = [chat, {"prompt": "a", "completion": " b"}, chat]
    rows = made(tokenizer, node, mixed, plain_text=True).train
    assert [words(tokenizer, row)[1] for row in rows] == ["It rains.<|im_end|>", " b</s>", "It rains.<|im_end|>"]


def test_text_is_written_as_a_chat_where_the_model_has_a_template(tokenizer: Any, node: Make) -> None:
    rows = made(tokenizer, node, [{"prompt": "Weather?", "completion": "Rain."}]).train
    chat = made(tokenizer, node, [talk("Weather?", "Rain.")]).train
    assert words(tokenizer, rows[0]) == words(tokenizer, chat[0])


def test_preferences_of_text_are_chats_too(tokenizer: Any, node: Make) -> None:
    row = {"prompt": "Weather?", "chosen": "Rain.", "rejected": "No."}
    pair = made(tokenizer, node, [row], accepts=["preference"]).train[0]
    prompt, chosen, rejected = (tokenizer.decode(part.tolist()) for part in pair)
    assert prompt.endswith("<|im_start|>user\nWeather?<|im_end|>\n<|im_start|>assistant\n")
    assert (chosen, rejected) == ("Rain.<|im_end|>", "No.<|im_end|>")


def test_text_stays_plain_where_that_is_wanted(tokenizer: Any, node: Make) -> None:
    row = {"instruction": "Add.", "output": "2"}
    whole = words(tokenizer, made(tokenizer, node, [row], plain_text=True).train[0])[0]
    assert whole == "### Instruction:\nAdd.\n\n### Response:\n2</s>"


def test_a_document_is_trained_whole_and_ends_with_the_token_for_it(tokenizer: Any, node: Make) -> None:
    prepared = made(tokenizer, node, [{"document": "It rains."}, {"document": ""}, {"document": "It pours.</s>"}])
    texts = [words(tokenizer, row) for row in prepared.train]
    assert texts == [("It rains.</s>", "It rains.</s>"), ("It pours.</s>", "It pours.</s>")]
    assert prepared.report["train"]["dropped"] == {"empty": 1}


def test_documents_are_joined_and_cut_into_blocks(tokenizer: Any, node: Make) -> None:
    rows = [{"document": f"Document {number} is about the weather in Oslo."} for number in range(20)]
    whole = made(tokenizer, node, rows).train
    prepared = made(tokenizer, node, rows, block_size=32)
    assert set(prepared.train.lengths[:-1].tolist()) == {32}
    assert prepared.report["train"]["rows_kept"] == 20
    assert prepared.report["train"]["rows"] == len(prepared.train)
    joined = [ids.tolist() for rows in (whole, prepared.train) for ids in [np.concatenate([row[0] for row in rows])]]
    assert joined[0] == joined[1]


def test_tokens_pass_as_they_are(tokenizer: Any, node: Make) -> None:
    row = {"input_ids": [5, 6, 7], "labels": [-100, 6, -100]}
    ids, labels = made(tokenizer, node, [row, row], chat_template=None).train[1]
    assert (ids.tolist(), labels.tolist()) == ([5, 6, 7], [-100, 6, -100])


def test_tokens_that_the_model_does_not_have_are_refused(tokenizer: Any, node: Make) -> None:
    rows = [{"input_ids": [5], "labels": [5]}, {"input_ids": [5, 10**6], "labels": [5, 10**6]}]
    assert 'line 2: "input_ids" holds an id beyond' in refused(tokenizer, node, rows, chat_template=None)


def test_tokens_that_the_tokenizer_has_and_the_embedding_lacks_are_refused(
    tokenizer: Any, node: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "largest_id", 5, raising=False)
    given = [{"input_ids": [5], "labels": [5]}, {"input_ids": [5, 6], "labels": [5, 6]}]
    assert 'line 2: "input_ids" holds an id beyond 5' in refused(tokenizer, node, given, chat_template=None)
    said = refused(tokenizer, node, [talk(), talk()])
    assert "line 1: the tokenizer gives ids beyond 5" in said
    assert "(2 of 2 lines); the model's embedding ends there" in said


def test_preferences_share_their_prompt(tokenizer: Any, node: Make) -> None:
    asks, yes = talk("Sure?", "Yes.")["messages"]
    chat = {"prompt": [asks], "chosen": [yes], "rejected": [yes | {"content": "No, never."}]}
    rows = made(tokenizer, node, [chat, chat], accepts=["preference"]).train
    assert isinstance(rows, PreferenceRows)
    assert len(rows) == 2
    pair = rows[1]
    assert tokenizer.decode(pair.prompt.tolist()).endswith("Sure?<|im_end|>\n<|im_start|>assistant\n")
    assert [tokenizer.decode(side.tolist()) for side in pair[1:]] == ["Yes.<|im_end|>", "No, never.<|im_end|>"]
    assert rows.lengths.tolist() == [len(pair.prompt) + len(pair.rejected) + 1] * 2
    assert rows.trained.tolist() == [len(pair.chosen) + len(pair.rejected)] * 2
    assert pickle.loads(pickle.dumps(rows))[0].chosen.tolist() == pair.chosen.tolist()


def test_preferences_may_be_text(tokenizer: Any, node: Make) -> None:
    rows = made(
        tokenizer,
        node,
        [{"prompt": "1 + 1 =", "chosen": " 2", "rejected": " 3"}],
        accepts=["preference"],
        plain_text=True,
    ).train
    assert [tokenizer.decode(part.tolist()) for part in rows[0]] == ["1 + 1 =", " 2</s>", " 3</s>"]


def test_a_prompt_whose_end_merges_with_an_answer_is_cut_before_it(tokenizer: Any, node: Make) -> None:
    row = {"prompt": "the weat", "chosen": "her in Oslo", "rejected": "!"}
    pair = made(tokenizer, node, [row], accepts=["preference"], plain_text=True).train[0]
    texts = [tokenizer.decode(part.tolist()) for part in pair]
    assert texts[0] + texts[1] == "the weather in Oslo</s>"
    assert texts[0] + texts[2] == "the weat!</s>"


def test_a_pair_is_dropped_as_one(tokenizer: Any, node: Make) -> None:
    rows = [
        {"prompt": "a", "chosen": " b", "rejected": " c" * 50},
        {"prompt": "a", "chosen": " b", "rejected": " c"},
    ]
    prepared = made(tokenizer, node, rows, accepts=["preference"], plain_text=True, max_seq_len=20, too_long="drop")
    assert len(prepared.train) == 1
    assert prepared.report["train"]["dropped"] == {"too long": 1}


def test_too_long_rows_are_truncated_and_counted(tokenizer: Any, node: Make) -> None:
    rows = [talk(answer="no " * 200), talk()]
    prepared = made(tokenizer, node, rows, max_seq_len=100)
    assert prepared.train.lengths[0] == 100
    assert prepared.report["train"]["truncated"] == 1
    assert words(tokenizer, prepared.train[1])[1] == "It rains.<|im_end|>"


def test_rows_in_which_truncation_leaves_nothing_to_train_are_dropped_and_counted(tokenizer: Any, node: Make) -> None:
    prepared = made(tokenizer, node, [talk(question="why " * 200), talk()], max_seq_len=100)
    assert len(prepared.train) == 1
    assert prepared.report["train"]["dropped"] == {"nothing trained after truncation": 1}


def test_too_long_rows_are_dropped_and_counted(tokenizer: Any, node: Make) -> None:
    prepared = made(tokenizer, node, [talk(answer="no " * 200), talk()], max_seq_len=100, too_long="drop")
    assert len(prepared.train) == 1
    assert prepared.report["train"]["dropped"] == {"too long": 1}


def test_too_long_rows_are_refused_by_line(tokenizer: Any, node: Make) -> None:
    message = refused(tokenizer, node, [talk(), talk(answer="no " * 200)], max_seq_len=100, too_long="error")
    assert "line 2: " in message
    assert "tokens (1 of 2 lines); max_seq_len=100: raise it, or use data.too_long=truncate or drop" in message


def test_a_row_of_exactly_the_limit_is_kept_whole(tokenizer: Any, node: Make) -> None:
    length = int(made(tokenizer, node, [talk()]).train.lengths[0])
    report = made(tokenizer, node, [talk()], max_seq_len=length, too_long="error").report["train"]
    assert (report["rows"], report["truncated"]) == (1, 0)


def test_there_is_no_shortest_length(tokenizer: Any, node: Make) -> None:
    prepared = made(tokenizer, node, [{"document": "a"}], max_seq_len=2)
    assert prepared.train.lengths.tolist() == [2]


def test_a_share_of_the_rows_is_held_out_by_the_seed(tokenizer: Any, node: Make) -> None:
    rows = [talk(answer=f"Number {number}.") for number in range(20)]
    first, again, other = (made(tokenizer, node, rows, eval_fraction=0.25, seed=seed) for seed in (1, 1, 2))
    assert first.eval is not None
    assert (len(first.train), len(first.eval)) == (15, 5)
    answers = [[words(tokenizer, row)[1] for row in part] for part in (first.train, first.eval)]
    assert sorted(answers[0] + answers[1]) == sorted(f"Number {number}.<|im_end|>" for number in range(20))
    assert again.report["eval"]["from_cache"]
    assert other.eval is not None
    assert [words(tokenizer, row)[1] for row in other.eval] != answers[1]


@pytest.mark.parametrize(("fraction", "part"), [(0.1, "evaluate"), (0.99, "train")])
def test_a_share_that_leaves_a_part_empty_is_refused(tokenizer: Any, node: Make, fraction: float, part: str) -> None:
    assert f"leaves no row to {part} on" in refused(tokenizer, node, [talk()] * 3, eval_fraction=fraction)


def test_held_out_rows_may_come_from_a_file(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    (tmp_path / "eval.jsonl").write_text(json.dumps(talk(answer="Held out.")) + "\n")
    prepared = made(tokenizer, node, [talk()] * 2, eval_path=str(tmp_path / "eval.jsonl"))
    assert prepared.eval is not None
    assert words(tokenizer, prepared.eval[0])[1] == "Held out.<|im_end|>"
    assert prepared.report["eval"]["path"].endswith("eval.jsonl")


def test_the_second_time_comes_from_the_cache(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    first = made(tokenizer, node, [talk()])
    (tmp_path / "elsewhere.jsonl").write_text(json.dumps(talk()) + "\n")
    moved = prepare(tokenizer, node(path=str(tmp_path / "elsewhere.jsonl"), chat_template=TEMPLATE))
    assert moved.report["train"]["from_cache"]
    assert moved.report["train"]["path"].endswith("elsewhere.jsonl")
    assert moved.train[0][0].tolist() == first.train[0][0].tolist()


@pytest.mark.parametrize(
    "change",
    [{"train_on": "all"}, {"max_seq_len": 200}, {"too_long": "drop"}, {"eval_fraction": 0.5}, {"chat_template": ""}],
)
def test_another_setting_is_prepared_anew(tokenizer: Any, node: Make, change: dict[str, Any], tmp_path: Path) -> None:
    made(tokenizer, node, [talk()] * 4)
    if "chat_template" in change:
        changed = tmp_path / "other.jinja"
        changed.write_text(Path(TEMPLATE).read_text().replace("small", "large"))
        change = {"chat_template": str(changed)}
    assert not made(tokenizer, node, [talk()] * 4, **change).report["train"]["from_cache"]


def test_other_content_is_prepared_anew(tokenizer: Any, node: Make) -> None:
    made(tokenizer, node, [talk()])
    assert words(tokenizer, made(tokenizer, node, [talk(answer="It pours.")]).train[0])[1] == "It pours.<|im_end|>"


def test_faulty_rows_are_refused_by_line(tokenizer: Any, node: Make) -> None:
    message = refused(tokenizer, node, [talk(), {"messages": []}, "{", talk()])
    assert message.endswith('line 2: "messages" is empty; line 3: not valid JSON (2 of 4 lines)')


def test_rows_that_the_template_refuses_are_named_by_line(tokenizer: Any, node: Make) -> None:
    gemma = str(Path(TEMPLATE).with_name("gemma.jinja"))
    system = {"messages": [{"role": "system", "content": "s"}, *talk()["messages"]]}
    message = refused(tokenizer, node, [talk(), system], chat_template=gemma)
    assert "line 2: the chat template refuses this row: System role not supported (1 of 2 lines)" in message


def test_chat_without_a_template_is_refused_and_says_how_to_give_one(tokenizer: Any, node: Make) -> None:
    assert refused(tokenizer, node, [talk()], chat_template=None).endswith(
        "give one with data.chat_template=FILE.jinja"
    )


def test_data_in_which_nothing_is_trained_is_refused_with_a_row(tokenizer: Any, node: Make) -> None:
    message = refused(tokenizer, node, [talk(question="why " * 200)] * 3, max_seq_len=50)
    assert "no token would be trained, every row was dropped (nothing trained after truncation: 3)" in message
    assert "<|im_start|>user\\nwhy why" in message


def test_data_that_is_trained_whole_by_mistake_is_refused_with_a_row(
    tokenizer: Any, node: Make, tmp_path: Path
) -> None:
    source = "{% for m in messages %}{% generation %}{{ m.role + m.content }}{% endgeneration %}{% endfor %}"
    (tmp_path / "careless.jinja").write_text(source)
    message = refused(tokenizer, node, [talk()], chat_template=str(tmp_path / "careless.jinja"))
    assert "every token would be trained, not only the assistant's" in message
    assert "[userWeather?assistantIt rains.</s>]" in message
    assert message.endswith("data.train_on=all if that is meant")


def test_what_a_template_leaves_out_is_counted(tokenizer: Any, node: Make) -> None:
    thinks = talk()
    thinks["messages"][1]["reasoning_content"] = "because"
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    report = made(tokenizer, node, [thinks, talk() | {"tools": tools}]).report["train"]
    assert report["left_out"] == {"reasoning": 1, "tools": 1}


def test_a_tokenizer_without_offsets_is_refused(node: Make) -> None:
    class Slow:
        name_or_path = "m"

    with pytest.raises(ConfigError, match="model_path=m: its tokenizer, Slow, knows no character offsets"):
        prepare(Slow(), node([talk()]))


def test_a_cache_that_cannot_be_written_is_named(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = refused(tokenizer, node, [talk()], cache_dir=str(tmp_path / "file" / "cache"))
    assert message.startswith(f"data.cache_dir={tmp_path}/file/cache: cannot be written")


def test_a_failure_leaves_nothing_in_the_cache(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    refused(tokenizer, node, [{"messages": []}])
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] in ([], [".lock"])


def test_the_tokenizer_of_the_caller_is_left_as_it_is(tokenizer: Any, node: Make) -> None:
    before = tokenizer.backend_tokenizer.to_str()
    made(tokenizer, node, [talk()])
    assert tokenizer.backend_tokenizer.to_str() == before


def test_preparing_imports_no_front(tokenizer: Any, node: Make) -> None:
    front = "('hydra', 'omegaconf', 'pydantic')"
    code = f"import sys, training_hub.data.prepare; print([m for m in {front} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.needs("datasets")
def test_all_sources_give_the_same_tokens(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    import csv

    import datasets
    import pyarrow as pa
    from pyarrow import parquet

    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    other = {"type": "function", "function": {"name": "clock", "arguments": {"zone": "CET"}}}
    rows = []
    for each in (call, other):
        asks = {"role": "assistant", "content": None, "tool_calls": [each]}
        rows.append({"messages": [{"role": "user", "content": "Weather?"}, asks]})
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)}).save_to_disk(tmp_path / "splits")
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["messages"])
        writer.writeheader()
        writer.writerows([{"messages": json.dumps(row["messages"])} for row in rows])
    template = str(Path(TEMPLATE).with_name("qwen2_5.jinja"))
    want = [row[0].tolist() for row in made(tokenizer, node, rows, chat_template=template).train]
    for name in ("rows.json", "rows.parquet", "rows.csv", "saved", "splits"):
        data = node(path=str(tmp_path / name), chat_template=template)
        assert [row[0].tolist() for row in prepare(tokenizer, data).train] == want, name


def test_a_flag_in_a_csv_file_is_read(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    turns = json.dumps(talk()["messages"]).replace('"', '""')
    path.write_text(f'messages,unmask\n"{turns}",False\n"{turns}",True\n')
    rows = prepare(tokenizer, node(path=str(path), chat_template=TEMPLATE)).train
    assert rows.trained[0] < rows.trained[1]


def test_processes_give_the_same_rows_as_threads(
    tokenizer: Any, node: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [talk(answer=f"Number {number}.") for number in range(600)]
    threads = made(tokenizer, node, rows).train
    monkeypatch.setattr("training_hub.data.batch._BYTES_FOR_PROCESSES", 0)
    monkeypatch.setattr("training_hub.data.batch._CORES_FOR_PROCESSES", 2)
    processes = made(tokenizer, node, rows, num_proc=2, cache_dir=str(tmp_path / "other")).train
    assert processes.folder != threads.folder
    for ours, theirs in zip(threads.flat, processes.flat, strict=True):
        assert np.array_equal(ours, theirs)
