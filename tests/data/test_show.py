"""What a person sees of prepared rows."""

from __future__ import annotations

from typing import Any

from training_hub.data.show import TRAINED, histogram, render


def test_a_histogram_counts_every_row_once() -> None:
    lines = histogram([10, 11, 12, 500, 1200]).splitlines()
    counts = [int(line.split("tokens")[1].split()[0]) for line in lines]
    assert sum(counts) == 5
    assert counts[0] == 3
    assert lines[0].count("█") > lines[-1].count("█") > 0


def test_a_histogram_of_one_length_is_one_line() -> None:
    assert histogram([7, 7]).split() == ["7", "-", "7", "tokens", "2", "█" * 40]


def test_a_histogram_of_nothing_says_so() -> None:
    assert histogram([]) == "no rows"


def test_trained_tokens_are_highlighted(tokenizer: Any) -> None:
    ids = tokenizer("<|im_start|>Rain in Oslo<|im_end|>")["input_ids"]
    labels = [-100, *ids[1:-1], -100]
    text = render(tokenizer, ids, labels)
    assert text.plain == "<|im_start|>Rain in Oslo<|im_end|>"
    highlighted = [text.plain[span.start : span.end] for span in text.spans if span.style == TRAINED]
    assert highlighted == ["Rain in Oslo"]
