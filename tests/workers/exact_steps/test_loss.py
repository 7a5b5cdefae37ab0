"""The loss and the attention of the TRL worker against the plain way to compute them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("torch", "transformers")
torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
attention = pytest.importorskip("training_hub.workers.exact_steps.attention")
batches = pytest.importorskip("training_hub.workers.exact_steps.batches")
loss = pytest.importorskip("training_hub.workers.exact_steps.loss")


def make_rows(lengths: list[int]) -> list[Any]:
    rng = np.random.default_rng(3)
    rows = []
    for length in lengths:
        ids = rng.integers(5, 250, length).astype(np.int32)
        rows.append((ids, np.where(np.arange(length) < length // 3, -100, ids).astype(np.int32)))
    return rows


@pytest.fixture
def rows() -> list[Any]:
    return make_rows([9, 4, 17, 6])


@pytest.fixture
def model(tiny: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32, attn_implementation="sdpa")
    model.direct = type(model).forward.__get__(model)
    return model


def directly(model: Any, row: Any) -> Any:
    """Sum of the token losses of one row, from all its logits."""
    ids, labels = (torch.from_numpy(array.astype(np.int64))[None] for array in row)
    logits = model.direct(input_ids=ids).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits[0], labels[0, 1:], reduction="sum", ignore_index=-100)


def total(model: Any, rows: list[Any], packed: bool, max_tokens: int = 1000) -> Any:
    """Sum of the token losses of all rows, as the trainer computes it."""
    names = ("keep", "targets") + (("lengths",) if model.config._attn_implementation == attention.NAME else ())
    return sum(
        model(**batch["inputs"], **{name: batch[name] for name in names})
        for batch in batches.micro_batches(rows, max_tokens, packed)
    )


def gradients(model: Any, value: Any) -> list[Any]:
    model.zero_grad()
    value.backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


def test_packed_rows_have_the_loss_of_each_row_alone(model: Any, rows: list[Any]) -> None:
    assert attention.use_packed_attention(model)
    expected = [directly(model, row).item() for row in rows]
    assert loss.add_token_loss(model) == "chunked"
    assert [total(model, [row], packed=True).item() for row in rows] == pytest.approx(expected, rel=1e-5)
    assert total(model, rows, packed=True).item() == pytest.approx(sum(expected), rel=1e-5)


def test_padded_rows_have_the_loss_of_packed_rows(model: Any, rows: list[Any]) -> None:
    attention.use_packed_attention(model)
    loss.add_token_loss(model)
    assert total(model, rows, packed=False).item() == pytest.approx(total(model, rows, packed=True).item(), rel=1e-5)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("max_tokens", [1, 20, 1000])
def test_the_gradient_is_that_of_the_direct_loss(model: Any, rows: list[Any], packed: bool, max_tokens: int) -> None:
    attention.use_packed_attention(model)
    loss.add_token_loss(model)
    expected = gradients(model, sum(directly(model, row) for row in rows))
    torch.testing.assert_close(gradients(model, total(model, rows, packed, max_tokens)), expected, rtol=1e-4, atol=1e-5)


def test_tokens_that_are_not_trained_have_no_influence_as_targets(model: Any, rows: list[Any]) -> None:
    loss.add_token_loss(model)
    ids, labels = rows[2]
    trained = [int(label) for label in labels[1:] if label != -100]
    [batch] = batches.micro_batches([(ids, labels)], 1000, True)
    assert batch["targets"].tolist() == trained
    nothing = total(model, [(ids, np.full_like(labels, -100))], packed=True)
    assert nothing.item() == 0
    assert all(bool((grad == 0).all()) for grad in gradients(model, nothing))


def test_packed_attention_equals_the_masked_one(model: Any, rows: list[Any]) -> None:
    batch = batches.packed_batch(rows)
    masked = model.model(**batch["inputs"], use_cache=False).last_hidden_state
    attention.use_packed_attention(model)
    by_row = model.model(**batch["inputs"], lengths=batch["lengths"], use_cache=False).last_hidden_state
    torch.testing.assert_close(by_row, masked, rtol=1e-4, atol=1e-5)


def test_a_model_that_attends_to_a_window_keeps_its_masks() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=4,
        attn_implementation="sdpa",
    )
    assert not attention.use_packed_attention(MistralForCausalLM(config))


def test_a_head_that_scales_its_logits_is_not_taken_for_a_plain_one(rows: list[Any]) -> None:
    from transformers import GraniteConfig, GraniteForCausalLM

    torch.manual_seed(0)
    config = GraniteConfig(
        vocab_size=256,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        logits_scaling=0.25,
        pad_token_id=0,
    )
    model = GraniteForCausalLM(config).eval()
    model.direct = model.forward
    expected = sum(directly(model, row).item() for row in rows)
    assert loss.add_token_loss(model) == "logits"
    assert total(model, rows, packed=True).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("tile", [1, 100, 2**24])
@pytest.mark.parametrize("bias", [True, False])
def test_the_chunked_loss_is_the_cross_entropy(monkeypatch: pytest.MonkeyPatch, tile: int, bias: bool) -> None:
    monkeypatch.setattr(loss, "TILE", tile)
    torch.manual_seed(0)
    shapes = [(7, 5), (11, 5)] + ([(11,)] if bias else [])
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    targets = torch.randint(11, (7,))
    hidden, weight, offset = [*inputs, None][:3]
    expected = torch.nn.functional.cross_entropy(
        hidden @ weight.T + (0 if offset is None else offset), targets, reduction="sum"
    )
    chunked = loss.ChunkedLoss.apply(hidden, weight, offset, targets)
    assert chunked.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(torch.autograd.grad(3 * chunked, inputs), torch.autograd.grad(3 * expected, inputs))


def test_the_chunked_loss_of_nothing_has_a_gradient_of_zeros() -> None:
    inputs = [torch.randn(shape, requires_grad=True) for shape in [(0, 5), (11, 5), (11,)]]
    loss.ChunkedLoss.apply(*inputs, torch.empty(0, dtype=torch.int64)).backward()
    assert all(bool((each.grad == 0).all()) for each in inputs)
