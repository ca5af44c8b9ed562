"""Products in bfloat16: exact where rounding changes nothing, else near the float32 reference."""

from __future__ import annotations

import pytest
import torch

from penstock._native import multiplies_halves
from penstock.cells import CELLS
from penstock.engines.precision import products_in
from penstock.errors import ConfigError
from penstock.layers.attention import decoder_program
from penstock.layers.recurrent import Recurrent
from tests.layers.test_attention import FORMS, pair
from tests.layers.test_attention import run as run_attention

needs_units = pytest.mark.skipif(not multiplies_halves(), reason="the processor has no such units")
pytestmark = needs_units


def of_whole_numbers(gates, hidden, engine="native", **options):
    """A layer whose matrices have one entry in each row, so that small whole numbers stay so."""
    lines = [f"g{i} = U{i} @ h[t-1]" for i in range(gates)]
    text = "\n".join([*lines, f"h = W @ x + {' + '.join(f'g{i}' for i in range(gates))}"])
    layer = Recurrent(text, hidden, hidden, engine=engine, **options)
    with torch.no_grad():
        for number, direction in enumerate(layer._directions()):
            for seed, matrix in enumerate(direction.weights().values()):
                order = torch.Generator().manual_seed(10 * number + seed)
                places = torch.randint(hidden, (hidden,), generator=order)
                matrix.zero_()[torch.arange(hidden), places] = 1.0
    return layer


def whole_numbers(*shape):
    return torch.randint(-2, 3, shape).float().requires_grad_()


def run(layer, xs, **options):
    """Outputs and all gradients."""
    xs = xs.detach().clone().requires_grad_()
    ys, _ = layer(xs, **options)
    ys.sum().backward()
    return [ys.detach(), xs.grad, *(weight.grad for weight in layer.parameters())]


@pytest.mark.parametrize("rows", [1, 3, 12, 16, 17, 24, 25, 50])
@pytest.mark.parametrize("hidden", [1, 7, 16, 17, 33, 200])
@pytest.mark.parametrize("gates", [1, 2, 3, 4, 5])
def test_whole_numbers_stay_exact(gates, hidden, rows):
    mine, oracle = (of_whole_numbers(gates, hidden, engine) for engine in ("native", "reference"))
    xs = whole_numbers(3, rows, hidden)
    with products_in("bfloat16"):
        found = run(mine, xs)
    for one, other in zip(found, run(oracle, xs), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("rows", [3, 20, 40])
def test_padding_resets_and_both_directions(rows):
    options = {"lengths": torch.randint(1, 5, (rows,)), "reset": torch.rand(4, rows) < 0.3}
    layers = [
        of_whole_numbers(3, 33, engine, bidirectional=True) for engine in ("native", "reference")
    ]
    xs = whole_numbers(4, rows, 33)
    with products_in("bfloat16"):
        found = run(layers[0], xs, **options)
    for one, other in zip(found, run(layers[1], xs, **options), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_is_near_float32(name):
    layer = Recurrent(name, 40, 40)
    oracle = Recurrent(name, 40, 40, engine="reference")
    oracle.load_state_dict(layer.state_dict())
    xs = torch.randn(6, 5, 40)
    with torch.no_grad():
        expected = oracle(xs)[0]
        with products_in("bfloat16"):
            found = layer(xs)[0]
    scale = expected.abs().max()
    assert (found - expected).abs().max() / scale < 0.05  # layer normalisation enlarges
    assert not torch.equal(found, expected)


@pytest.mark.parametrize("form", FORMS)
def test_attention_is_near_float32(form):
    program = decoder_program("gru", **FORMS[form])
    native, reference = pair(program, torch.float32, 48)
    xs, memory, words = torch.randn(4, 20, 3), torch.randn(6, 20, 48), torch.randint(1, 7, (20,))
    with products_in("bfloat16"):
        found = run_attention(native, xs, memory, words)
    for one, other in zip(found, run_attention(reference, xs, memory, words), strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


def test_any_number_of_threads_gives_the_same_bits():
    layer, state, found = Recurrent("lstm", 200, 200), torch.randn(2, 1, 20, 200), []
    xs, before = torch.zeros(5, 20, 200), torch.get_num_threads()  # no product before the loop
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with products_in("bfloat16"), torch.no_grad():
                found.append(layer(xs, tuple(state))[0])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


@torch.no_grad()
def test_what_evaluation_has_packed_is_of_its_own_precision():
    layer, xs = Recurrent("gru", 20, 40).eval(), torch.randn(3, 4, 20)
    before = layer(xs)[0]
    with products_in("bfloat16"):
        assert not torch.equal(layer(xs)[0], before)
    assert torch.equal(layer(xs)[0], before)


def test_double_stays_double():
    layer, xs = Recurrent("gru", 20, 40).double(), torch.randn(3, 4, 20).double()
    before = layer(xs)[0]
    with products_in("bfloat16"):
        assert torch.equal(layer(xs)[0], before)


def test_numbers_that_are_none_stay_none():
    layer, xs = Recurrent("gru", 20, 40), torch.randn(3, 4, 20)
    xs[1, 2, 3] = torch.nan
    with products_in("bfloat16"):
        ys = layer(xs)[0]
    assert ys[1:, 2].isnan().all()
    assert not ys[:, [0, 1, 3]].isnan().any()


def test_the_switch_is_put_back():
    switch = torch.backends.mkldnn.matmul
    before = switch.fp32_precision
    seen = []

    @products_in("bfloat16")
    def fail():
        seen.append(switch.fp32_precision)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen == ["bf16"]
    assert switch.fp32_precision == before


def test_a_processor_without_units_refuses(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    with pytest.raises(ConfigError, match="avx512_bf16"), products_in("bfloat16"):
        pass
