"""Templates that hide a call, the end of a turn, another header, or a tool inside the model's turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.test_chat import CALL, TEMPLATES, TOOLS, Make, chat, trained
from training_hub.data.encode import Encoder
from training_hub.data.formats.messages import Messages
from training_hub.data.prepare import make_encoder, prepare
from training_hub.data.rows import PreferenceRows
from training_hub.errors import ConfigError

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}BODY<|im_end|>\n{% endfor %}PROMPT"
ASKS = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
NO_END = (
    "{% for m in messages %}### {{ m.role }}:\n{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### assistant:\n{% endif %}"
)
NEXT_HEADER = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
THINKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n"
    "{% else %}<think></think>{% endif %}{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>"
    "{% else %}<think>\n{% endif %}{% endif %}"
)
INSIDE = (
    "{% for m in messages %}{% if m.role == 'tool' %}{% else %}<|im_start|>{{ m.role }}\n"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}"
    "{% if m.tool_calls %}<answer>{{ messages[loop.index].content }}</answer>{% endif %}{{ m.content or '' }}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FIRST = "{% if m.tool_calls %}{% set f = m.tool_calls[0].function %}{{ f.name }} {{ f.arguments | tojson }}{% endif %}"
SECOND = {"id": "call00002", "type": "function", "function": {"name": "clock", "arguments": {"zone": "CET"}}}


@pytest.fixture
def made(tokenizer: Any, node: Make, tmp_path: Path) -> Any:
    """An encoder with the given template."""

    def make(source: str, **changes: Any) -> Encoder:
        (tmp_path / "t.jinja").write_text(source)
        return make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja"), **changes))

    return make


def chatml(body: str = "", prompt: str = ASKS) -> str:
    return CHATML.replace("BODY", body).replace("PROMPT", prompt)


def asks(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(calls), **more}


def result(words: str = "rain") -> dict[str, Any]:
    return {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": words}


def refusal(encoder: Encoder, messages: list[dict[str, Any]], **row: Any) -> str:
    flat, _, refused = encoder.encode([(1, {"messages": messages, **row})], Messages())
    assert len(flat.lengths) == 0
    return refused[0][1]


def notes(encoder: Encoder, messages: list[dict[str, Any]], **row: Any) -> list[str]:
    encoder.encode([(1, {"messages": messages, **row})], Messages())
    return list(encoder.notes)


def call(name: str = "weather", **arguments: Any) -> dict[str, Any]:
    return CALL | {"function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "second",
    [
        SECOND,
        call("weather", city="Bergen"),
        call("weather", city="Oslo"),
        call("clock"),
        call("clock", number=41),
        call("clock", deep={"in": ["Bergen"]}),
    ],
    ids=["another", "same name", "the same", "no arguments", "a number", "nested"],
)
def test_a_second_call_that_the_template_leaves_out_is_refused(made: Any, second: dict[str, Any]) -> None:
    assert trained(made(chatml(FIRST)), {"messages": [*chat("Hi"), asks(CALL)]})
    reason = refusal(made(chatml(FIRST)), [*chat("Hi"), asks(CALL, second), result(), result(), *chat("", "Ok.")[1:]])
    assert reason.startswith("the chat template leaves out a tool call: ")
    assert repr(second["function"]["name"]) in reason


def test_a_second_call_whose_words_were_said_elsewhere_is_missed_all_the_same(made: Any) -> None:
    turns = chat("weather in CET", "clock says CET, the weather Oslo", "Now?")
    assert "leaves out" in refusal(made(chatml(FIRST)), [*turns, asks(CALL, SECOND)])


def test_arguments_that_the_template_leaves_out_are_missed(made: Any) -> None:
    names = "{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}"
    assert "'Oslo'" in refusal(made(chatml(names)), [*chat("Oslo?", "Oslo."), asks(CALL)])
    assert "'7'" in refusal(made(chatml(names)), [*chat("Oslo?"), asks(call("clock", number=7))])


def test_a_template_that_leaves_out_the_words_beside_a_call_is_refused(made: Any) -> None:
    source = chatml().replace(
        "{{ m.content }}", "{% if m.tool_calls %}" + FIRST + "{% else %}{{ m.content }}{% endif %}"
    )
    reason = refusal(made(source), [*chat("Hi"), asks(CALL, content="Let me look.")])
    assert reason == "the chat template leaves out or changes what the assistant says: 'Let me look.'"


def test_a_template_that_marks_generations_must_write_all_calls_too(made: Any) -> None:
    marked = chatml(FIRST).replace("{{ m.content }}", "{% generation %}{{ m.content }}")
    marked = marked.replace("<|im_end|>", "<|im_end|>{% endgeneration %}")
    assert "'clock'" in refusal(made(marked), [*chat("Hi"), asks(CALL, SECOND)])


def test_a_template_may_want_the_content_of_a_call_that_has_none(made: Any) -> None:
    source = chatml("{{ m.content.strip() }}" + FIRST).replace("{{ m.content }}", "")
    want = ['weather {"city": "Oslo"}<|im_end|>']
    assert trained(made(source), {"messages": [*chat("Hi"), asks(CALL, content=None)]}) == want
    assert trained(made(source), {"messages": [*chat("Hi"), {"role": "assistant", "tool_calls": [CALL]}]}) == want


def test_words_of_a_tool_within_those_of_the_assistant_are_refused(made: Any) -> None:
    turns = [*chat("Hi"), asks(CALL, content="It pours."), result("wet")]
    assert refusal(made(INSIDE), turns) == "the chat template writes the tool's words between those of the assistant"


def test_a_tool_inside_the_turn_is_not_trained(made: Any) -> None:
    source = (
        chatml()
        .replace("{{ m.content }}", "{{ m.content }}" + FIRST)
        .replace(
            "<|im_start|>{{ m.role }}\n",
            "{% if m.role == 'tool' %}<answer>{% else %}<|im_start|>{{ m.role }}\n{% endif %}",
        )
        .replace("<|im_end|>\n", "{% if m.tool_calls %}<|call|>{% elif m.role != 'tool' %}<|im_end|>\n{% endif %}")
    )
    got = trained(made(source), {"messages": [*chat("Hi"), asks(CALL), result("wet"), *chat("", "It pours.")[1:]]})
    assert not any("wet" in piece for piece in got)
    assert got[0] == 'weather {"city": "Oslo"}<|call|>'


def test_the_header_of_the_other_mode_is_not_trained_and_is_told(made: Any) -> None:
    encoder = made(THINKS, end_of_turn="<|im_end|>")
    assert trained(encoder, {"messages": chat("a", "b", "c", "d")}) == ["b<|im_end|>", "d<|im_end|>"]
    assert list(encoder.notes) == [
        "the prompt for the assistant ends with '<think>\\n', its turn in a conversation begins with '<think></think>'"
    ]


def test_variables_of_the_template_choose_the_header(made: Any) -> None:
    encoder = made(THINKS, end_of_turn="<|im_end|>", chat_template_kwargs={"enable_thinking": False})
    assert trained(encoder, {"messages": chat("a", "b")}) == ["b<|im_end|>"]
    assert not encoder.notes


def test_reasoning_begins_where_the_prompt_ends(made: Any) -> None:
    turn = {"role": "assistant", "content": "b", "reasoning_content": "why"}
    encoder = made(THINKS, end_of_turn="<|im_end|>")
    assert trained(encoder, {"messages": [*chat("a"), turn]}) == ["why\n</think>\nb<|im_end|>"]
    assert not encoder.notes


def test_a_prefilled_thought_that_a_conversation_lacks_is_told(made: Any) -> None:
    source = chatml(prompt="{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}")
    encoder = made(source, end_of_turn="<|im_end|>")
    assert trained(encoder, {"messages": chat("a", "b")}) == ["b<|im_end|>"]
    assert list(encoder.notes) == [
        "the prompt for the assistant ends with '<|im_start|>assistant\\n<think>\\n', "
        "its turn in a conversation begins with '<|im_start|>assistant\\n'"
    ]


def test_reasoning_within_the_words_is_looked_at_although_the_shape_is_known(made: Any) -> None:
    encoder = made(chatml(prompt="{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"))
    trained(encoder, {"messages": chat("a", "b")})
    assert trained(encoder, {"messages": chat("a", "<think>\nwhy</think>b")}) == ["why</think>b<|im_end|>"]


def test_what_the_marks_of_a_template_take_from_the_prompt_is_not_trained(made: Any) -> None:
    source = (
        "{% for m in messages %}<|im_start|>{% if m.role == 'assistant' %}{% generation %}assistant\n{{ m.content }}"
        "<|im_end|>{% endgeneration %}{% else %}{{ m.role }}\n{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}" + ASKS
    )
    assert trained(made(source), {"messages": chat("a", "b", "c", "d")}) == ["b<|im_end|>", "d<|im_end|>"]


@pytest.mark.parametrize("source", [NO_END, NEXT_HEADER])
def test_the_end_of_generation_is_added_where_the_template_writes_none(made: Any, source: str) -> None:
    encoder = made(source)
    for answer in ("b", "longer", " c \n"):
        got = trained(encoder, {"messages": chat("a", answer)})[0]
        assert got.endswith("</s>")
        assert got.removesuffix("</s>").strip() == answer.strip()
    assert "</s> is added, and trained, at the end of the assistant's last turn" in encoder.notes


def test_it_is_added_to_a_call_too(made: Any) -> None:
    calls = NO_END.replace("{{ m.content }}", "{{ m.content }}" + FIRST)
    assert trained(made(calls), {"messages": [*chat("a"), asks(CALL)]}) == ['weather {"city": "Oslo"}</s>']


def test_nothing_is_added_where_only_the_template_counts(made: Any) -> None:
    encoder = made(NO_END, end_of_turn="template")
    assert trained(encoder, {"messages": chat("a", "b")}) == ["b"]
    assert list(encoder.notes) == ["the chat template writes no token at the end of the assistant's turns"]


def test_a_token_can_be_named(made: Any) -> None:
    assert trained(made(NO_END, end_of_turn="<|end|>"), {"messages": chat("a", "b")}) == ["b<|end|>"]
    assert trained(made(chatml(), end_of_turn="<|end|>"), {"messages": chat("a", "b")}) == ["b<|im_end|><|end|>"]
    assert trained(made(chatml(), end_of_turn="<|im_end|>"), {"messages": chat("a", "b")}) == ["b<|im_end|>"]
    with pytest.raises(ConfigError, match=r"data.end_of_turn=<\|stop\|>: no special token of the tokenizer"):
        made(NO_END, end_of_turn="<|stop|>")


def test_a_turn_within_a_conversation_that_does_not_end_is_told(made: Any) -> None:
    told = "the chat template writes no token at the end of the assistant's turns"
    assert told in notes(made(NO_END), chat("a", "b", "c", "d"))
    assert told in notes(made(NEXT_HEADER), chat("a", "b", "c", "d"))


def test_the_next_header_is_trained_where_it_ends_generation(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(NEXT_HEADER)
    tokenizer.ends_generation = [tokenizer.convert_tokens_to_ids(token) for token in ("</s>", "<|user|>")]
    try:
        encoder = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
        assert trained(encoder, {"messages": chat("a", "b", "c", "d")}) == ["b<|user|>", "d</s>"]
    finally:
        del tokenizer.ends_generation


def test_a_generation_config_without_the_tokenizers_end_gives_its_own(
    tokenizer: Any, node: Make, tmp_path: Path
) -> None:
    (tmp_path / "t.jinja").write_text(NO_END)
    tokenizer.ends_generation = [tokenizer.convert_tokens_to_ids("<|end|>"), 10**9]
    try:
        encoder = make_encoder(tokenizer, node(chat_template=str(tmp_path / "t.jinja")))
        assert trained(encoder, {"messages": chat("a", "b")}) == ["b<|end|>"]
    finally:
        del tokenizer.ends_generation


def test_an_end_that_does_not_end_generation_is_told(made: Any) -> None:
    assert notes(made(chatml()), chat("a", "b")) == [
        "the assistant's last turn ends with <|im_end|>, and generation only with </s>"
    ]


def test_all_tokens_end_as_the_assistants_alone(made: Any) -> None:
    flat, _, _ = made(NO_END, train_on="all").encode([(1, {"messages": chat("a", "b")})], Messages())
    assert (flat.labels == flat.input_ids).all()
    assert made(NO_END).tokenizer.decode(flat.input_ids.tolist(), skip_special_tokens=False).endswith("b</s>")


def test_a_conversation_that_the_user_ends_gets_no_end(made: Any) -> None:
    text = made(NO_END).conversation(chat("a", "b", "c"), {}).text
    assert text.endswith("### user:\nc\n\n")


def test_both_answers_of_a_preference_end(tokenizer: Any, node: Make, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(NO_END)
    row = {"prompt": "a", "chosen": "b", "rejected": "c"}
    prepared = prepare(tokenizer, node([row], accepts=["preference"], chat_template=str(tmp_path / "t.jinja")))
    assert isinstance(prepared.train, PreferenceRows)
    assert [tokenizer.decode(part.tolist()) for part in prepared.train[0][1:]] == ["b</s>", "c</s>"]


def test_rows_that_the_template_cannot_write_are_counted_by_reason(tokenizer: Any, node: Make) -> None:
    good = {"messages": chat("a", "b")}
    system = {"messages": [{"role": "system", "content": "s"}, *chat("a", "b")]}
    calls = [{"messages": [*chat("a"), asks(call(name))]} for name in ("weather", "clock")]
    rows = [good, *calls, system, good]
    data = node(rows, chat_template=str(TEMPLATES / "gemma.jinja"))
    with pytest.raises(ConfigError) as caught:
        prepare(tokenizer, data)
    assert str(caught.value).partition("rows.jsonl: ")[2] == (
        "line 2: the chat template leaves out a tool call: 'weather' (2 of 5 lines); "
        "line 4: the chat template refuses this row: System role not supported (1 of 5 lines); "
        "leave such rows out with data.unrenderable=drop, or give another template with data.chat_template=FILE"
    )
    report = prepare(tokenizer, data | {"unrenderable": "drop"}).report["train"]
    assert report["dropped"] == {"refused by the chat template": 3}
    assert report["rows_kept"] == 2


def test_tools_and_turns_are_found_beside_each_other(tokenizer: Any, node: Make) -> None:
    row = {"messages": [*chat("Hi"), asks(CALL, SECOND)], "tools": TOOLS}
    encoder = make_encoder(tokenizer, node(chat_template=str(TEMPLATES / "qwen2_5.jinja")))
    assert len(trained(encoder, row)) == 1


def test_variables_that_the_pipeline_sets_are_refused(node: Make) -> None:
    from training_hub.data.check import check

    data = node([{"messages": chat("a", "b")}], chat_template_kwargs={"tools": []})
    assert check(data) == [
        "data.chat_template_kwargs={'tools': []}: tools cannot be set: what is rendered is in the rows"
    ]
