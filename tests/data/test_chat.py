"""What is trained of a conversation, for the chat templates of many model families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training_hub.data.encode import Encoder
from training_hub.data.formats.messages import Messages
from training_hub.data.labels import IGNORED
from training_hub.data.prepare import make_encoder

TEMPLATES = Path(__file__).parent / "templates"
ENDS = {  # end of a turn within a conversation, and at its end
    "llama3": ("<|eot_id|>", "<|eot_id|>"),
    "qwen2_5": ("<|im_end|>", "<|im_end|>"),
    "qwen3": ("<|im_end|>", "<|im_end|>"),
    "mistral": ("</s>", "</s>"),
    "phi3": ("<|end|>", "<|end|>"),
    "gemma": ("<end_of_turn>", "<end_of_turn>"),
    "granite": ("<|end_of_text|>", "<|end_of_text|>"),
    "smollm": ("<|im_end|>", "<|im_end|>"),
    "generation": ("<|im_end|>", "<|im_end|>"),
    "cohere": ("<|END_RESPONSE|><|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"),
    "gpt_oss": ("<|end|>", "<|return|>"),
}
BEFORE = {
    "mistral": (" ", " "),
    "qwen3": ("", "<think>\n\n</think>\n\n"),
    "gpt_oss": ("<|channel|>final<|message|>",) * 2,
}
TRIMS = ("llama3", "mistral", "gemma")
CALL = {"id": "call00001", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
CALLS = {
    "llama3": '{"name": "weather", "parameters": {"city": "Oslo"}}<|eom_id|>',
    "qwen2_5": '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call><|im_end|>',
    "qwen3": '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call><|im_end|>',
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Oslo"}}]</s>',
    "granite": '<|tool_call|>[{"name": "weather", "arguments": {"city": "Oslo"}}]<|end_of_text|>',
    "generation": '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call><|im_end|>',
    "gpt_oss": ' to=functions.weather<|channel|>commentary json<|message|>{"city": "Oslo"}<|call|>',
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]

Make = Any


def chat(*turns: str) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[number % 2], "content": words} for number, words in enumerate(turns)]


def encoder(tokenizer: Any, node: Make, template: str, **changes: Any) -> Encoder:
    return make_encoder(tokenizer, node(chat_template=str(TEMPLATES / f"{template}.jinja"), **changes))


def trained(encoder: Encoder, row: dict[str, Any]) -> list[str]:
    """The trained parts of a row, decoded."""
    flat, _, refused = encoder.encode([(1, row)], Messages())
    assert refused == []
    pieces: list[list[int]] = [[]]
    for label in flat.labels.tolist():
        if label != IGNORED:
            pieces[-1].append(label)
        elif pieces[-1]:
            pieces.append([])
    return [encoder.tokenizer.decode(piece, skip_special_tokens=False) for piece in pieces if piece]


@pytest.mark.parametrize("template", ENDS)
def test_decoding_what_is_trained_gives_back_what_the_assistant_said(
    any_tokenizer: Any, node: Make, template: str
) -> None:
    said = ["It rains.", " 3 degrees,\n\nand\train \n"]
    shown = [words.strip() for words in said] if template in TRIMS else said
    got = trained(encoder(any_tokenizer, node, template), {"messages": chat("Weather?", said[0], "More", said[1])})
    before = BEFORE.get(template, ("", ""))
    assert got == [before[0] + shown[0] + ENDS[template][0], before[1] + shown[1] + ENDS[template][1]]


@pytest.mark.parametrize("template", CALLS)
def test_a_tool_call_without_content_is_trained(any_tokenizer: Any, node: Make, template: str) -> None:
    asks = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    result = {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": '"rain"'}
    row = {"messages": [*chat("Weather?"), asks, result, *chat("", "It rains.")[1:]], "tools": TOOLS}
    got = trained(encoder(any_tokenizer, node, template), row)
    before = BEFORE.get(template, ("", ""))[1]
    assert got == [CALLS[template], before + "It rains." + ENDS[template][1]]


@pytest.mark.parametrize("template", CALLS)
def test_a_tool_call_without_arguments_is_trained_whole(tokenizer: Any, node: Make, template: str) -> None:
    call = CALL | {"function": {"name": "weather", "arguments": {}}}
    asks = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": '"rain"'}
    got = trained(
        encoder(tokenizer, node, template), {"messages": [*chat("Weather?"), asks, result, *chat("", "Rain.")[1:]]}
    )
    assert got[0] == CALLS[template].replace('{"city": "Oslo"}', "{}")


@pytest.mark.parametrize("template", ["qwen2_5", "qwen3", "mistral", "granite", "generation"])
def test_several_tool_calls_and_words_make_one_turn(tokenizer: Any, node: Make, template: str) -> None:
    second = CALL | {"function": {"name": "clock", "arguments": {"zone": "CET"}}}
    asks = {"role": "assistant", "content": None, "tool_calls": [CALL, second]}
    got = trained(encoder(tokenizer, node, template), {"messages": [*chat("Weather and time?"), asks]})
    assert len(got) == 1
    assert '"Oslo"' in got[0]
    assert got[0].index('"CET"') < got[0].index(ENDS[template][1])


@pytest.mark.parametrize("template", ENDS)
def test_the_token_ids_are_those_of_the_template_rendered_as_a_whole(
    any_tokenizer: Any, node: Make, template: str
) -> None:
    made = encoder(any_tokenizer, node, template)
    messages = chat("Weather?\n\n", "\n\nIt rains.", " What?", "Rain. 日本 🙂 é")
    flat, _, _ = made.encode([(1, {"messages": messages})], Messages())
    source = (TEMPLATES / f"{template}.jinja").read_text()
    whole = any_tokenizer.apply_chat_template(messages, chat_template=source, tokenize=True, return_dict=True)
    assert flat.input_ids.tolist() == whole["input_ids"]


@pytest.mark.parametrize("template", sorted(ENDS.keys() - {"gemma", "gpt_oss"}))
def test_a_system_turn_is_not_trained(tokenizer: Any, node: Make, template: str) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *chat("Weather?", "Rain.")]
    before = BEFORE.get(template, ("", ""))[1]
    assert trained(encoder(tokenizer, node, template), {"messages": messages}) == [before + "Rain." + ENDS[template][1]]


def test_reasoning_is_trained_where_the_template_keeps_it(tokenizer: Any, node: Make) -> None:
    messages = chat("One?", "1", "Two?", "2")
    messages[1]["reasoning_content"], messages[3]["reasoning_content"] = "early", "late"
    row = {"messages": messages}
    assert trained(encoder(tokenizer, node, "qwen3"), row) == ["1<|im_end|>", "<think>\nlate\n</think>\n\n2<|im_end|>"]
    kept = ["<think>\nearly\n</think>\n1<|im_end|>", "<think>\nlate\n</think>\n2<|im_end|>"]
    assert trained(encoder(tokenizer, node, "generation"), row) == kept


def test_reasoning_may_be_called_thinking(tokenizer: Any, node: Make) -> None:
    messages = chat("One?", "1")
    messages[1]["thinking"] = "why"
    want = ["<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>1<|return|>"]
    assert trained(encoder(tokenizer, node, "gpt_oss"), {"messages": messages}) == want
    assert trained(encoder(tokenizer, node, "qwen3"), {"messages": messages}) == [
        "<think>\nwhy\n</think>\n\n1<|im_end|>"
    ]


def test_reasoning_within_the_content_is_found_although_the_template_moves_it(tokenizer: Any, node: Make) -> None:
    row = {"messages": chat("One?", "<think>\nearly\n</think>\n\n1", "Two?", "<think>\nlate\n</think>\n\n2")}
    want = ["1<|im_end|>", "<think>\nlate\n</think>\n\n2<|im_end|>"]
    assert trained(encoder(tokenizer, node, "qwen3"), row) == want


def test_unmask_trains_the_words_of_everybody_but_the_system(tokenizer: Any, node: Make) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *chat("Weather?", "Rain.")]
    row = {"messages": messages, "unmask": True}
    assert trained(encoder(tokenizer, node, "smollm"), row) == ["Weather?", "Rain.<|im_end|>"]
    assert trained(encoder(tokenizer, node, "generation"), row) == ["Weather?", "Rain.<|im_end|>"]


def test_roles_can_be_chosen(tokenizer: Any, node: Make) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *chat("Weather?", "Rain.")]
    made = encoder(tokenizer, node, "smollm", train_on=["system", "assistant"])
    assert trained(made, {"messages": messages}) == ["Be brief.", "Rain.<|im_end|>"]
    made = encoder(tokenizer, node, "smollm", train_on=["user"])
    assert trained(made, {"messages": messages}) == ["Weather?"]


def test_all_trains_every_token(tokenizer: Any, node: Make) -> None:
    made = encoder(tokenizer, node, "smollm", train_on="all")
    flat, _, _ = made.encode([(1, {"messages": chat("Weather?", "Rain.")})], Messages())
    assert (flat.labels == flat.input_ids).all()


def test_tools_reach_the_template(tokenizer: Any, node: Make) -> None:
    made = encoder(tokenizer, node, "qwen2_5")
    row = {"messages": chat("Weather?", "Rain."), "tools": TOOLS}
    assert '"name": "weather"' in made.conversation(row["messages"], row).text
    assert '"name": "weather"' in made.conversation(row["messages"], row | {"tools": str(TOOLS).replace("'", '"')}).text


def test_content_may_be_a_list_of_texts(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    content = "{% for part in m.content %}{{ part.text }}{% endfor %}"
    source = "{% for m in messages %}<|im_start|>{{ m.role }}\n" + content + "<|im_end|>{% endfor %}"
    (tmp_path / "parts.jinja").write_text(source)
    parts = [{"type": "text", "text": "It "}, {"type": "text", "text": "rains."}]
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {"role": "assistant", "content": parts},
    ]
    made = make_encoder(tokenizer, node(chat_template=str(tmp_path / "parts.jinja")))
    assert trained(made, {"messages": messages})[0].endswith("It rains.<|im_end|>")


@pytest.mark.parametrize(
    ("template", "messages", "reason"),
    [
        ("gemma", [{"role": "system", "content": "x"}, *chat("a", "b")], "System role not supported"),
        ("gemma", [*chat("a", "b"), {"role": "tool", "content": "x"}], "must alternate"),
        (
            "phi3",
            [*chat("a"), {"role": "assistant", "content": None, "tool_calls": [CALL]}],
            "leaves out a tool call: 'weather'",
        ),
        ("mistral", [*chat("a"), {"role": "assistant", "tool_calls": [CALL | {"id": "1"}]}], "9 letters"),
    ],
)
def test_a_row_that_the_template_cannot_render_is_named(
    tokenizer: Any, node: Make, template: str, messages: list[dict[str, Any]], reason: str
) -> None:
    flat, _, refused = encoder(tokenizer, node, template).encode([(7, {"messages": messages})], Messages())
    assert len(flat.lengths) == 0
    assert [number for number, _ in refused] == [7]
    assert reason in refused[0][1]


def test_a_template_that_leaves_out_tool_calls_is_refused(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>{% endfor %}"
    (tmp_path / "t.jinja").write_text(source)
    made = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
    asks = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    _, _, refused = made.encode([(1, {"messages": [*chat("a"), asks]})], Messages())
    assert "leaves out" in refused[0][1]
    assert "weather" in refused[0][1]


def test_a_template_that_changes_the_words_is_refused(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | upper }}<|im_end|>{% endfor %}"
    (tmp_path / "t.jinja").write_text(source)
    made = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
    _, _, refused = made.encode([(1, {"messages": chat("a", "b")})], Messages())
    assert "changes what the assistant says: 'b'" in refused[0][1]


def test_a_template_that_looks_at_the_length_of_the_words_falls_back_on_prefixes(
    tokenizer: Any, node: Make, tmp_path: Path
) -> None:
    source = (
        "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content | length }}\n"
        "{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
    )
    (tmp_path / "t.jinja").write_text(source)
    made = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
    assert trained(made, {"messages": chat("abc", "def", "g", "hi")}) == [" 3\ndef<|im_end|>", " 2\nhi<|im_end|>"]


def test_private_characters_in_the_data_do_no_harm(tokenizer: Any, node: Make) -> None:
    for private in "\U00100000", "\U000f0001", "\U000fabcd", "\U0010abcd":
        row = {"messages": chat(f"a {private} b", f"c {private} d")}
        assert trained(encoder(tokenizer, node, "smollm"), row) == [f"c {private} d<|im_end|>"]


def test_a_conversation_may_begin_with_the_assistant(tokenizer: Any, node: Make) -> None:
    row = {"messages": [*chat("", "Hello!")[1:], *chat("Hi", "Bye.")]}
    assert trained(encoder(tokenizer, node, "qwen2_5"), row) == ["Hello!<|im_end|>", "Bye.<|im_end|>"]


def test_a_turn_is_found_where_the_template_cannot_ask_for_it(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    source = (
        "{% if add_generation_prompt and messages | length > 1 %}{{ raise_exception('no') }}{% endif %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    (tmp_path / "t.jinja").write_text(source)
    made = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
    assert trained(made, {"messages": chat("a", "b", "c", "d")}) == ["b<|im_end|>", "d<|im_end|>"]


def test_a_shape_that_was_seen_gives_the_same_as_one_that_was_not(tokenizer: Any, node: Make) -> None:
    seen = encoder(tokenizer, node, "qwen3")
    rows = [
        chat("One?", "1", "Two?", "2"),
        chat("Three?", "<think>x</think>3", "Four?", "4"),
        chat("a", "b", "c", " d "),
    ]
    for messages in [*rows, *rows]:
        assert trained(seen, {"messages": messages}) == trained(
            encoder(tokenizer, node, "qwen3"), {"messages": messages}
        )


def test_a_turn_after_an_empty_one_is_found(tokenizer: Any, node: Make) -> None:
    made = encoder(tokenizer, node, "qwen2_5")
    for question in ("Hi", "", "Hi"):
        assert trained(made, {"messages": chat(question, "Hello.")}) == ["Hello.<|im_end|>"]
    assert trained(made, {"messages": chat("Hi", "", "Still there?", "Yes.")}) == ["Yes.<|im_end|>"]
