"""Weights in bfloat16 and int8: the native engine beside the reference with the same rounding."""

from __future__ import annotations

import copy

import pytest
import torch

from penstock.cells import CELLS
from penstock.engines.precision import rounded
from penstock.errors import ConfigError
from penstock.layers.attention import decoder_program
from penstock.layers.recurrent import Recurrent
from tests.layers.test_stream import READS_EARLIER_INPUTS
from tests.tolerances import assert_close

PRECISIONS = ["bfloat16", "int8"]
TOLERANCE = {"bfloat16": "float32 of two engines", "int8": "products with 16 bits"}
SIZES = [(1, 1, 1), (5, 7, 1), (18, 33, 3), (600, 17, 2), (40, 65, 25)]
"""Input, hidden units, rows."""


def pair(name, inputs, hidden, layers=1):
    """A layer, and the same on the reference engine."""
    layer = Recurrent(name, inputs, hidden, layers).eval()
    oracle = Recurrent(name, inputs, hidden, layers, engine="reference").eval()
    oracle.load_state_dict(layer.state_dict())
    return layer, oracle


def check(layer, oracle, xs, kind):
    """Sequence and steps against the sequence of the other engine."""
    expected, end = oracle(xs)
    ys, state = layer(xs)
    scale = max(1.0, expected.abs().max().item())
    assert_close(ys / scale, expected / scale, kind)
    y, state = layer.step(xs[0])
    for t, x in enumerate(xs[1:], 1):
        y, state = layer.step(x, state)
        assert_close(y / scale, expected[t] / scale, kind)
    parts = [[part for value in one for part in value] for one in (state, end)]
    for mine, theirs in zip(*parts, strict=True):
        assert_close(mine / scale, theirs / scale, kind)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", sorted(name for name in CELLS))
@torch.no_grad()
def test_every_cell_is_the_reference_with_rounded_weights(name, precision):
    layer, oracle = pair(name, 6, 9, 2)
    xs = torch.randn(5, 1, 6)
    before = layer(xs)[0]
    check(layer.quantise(precision), oracle.quantise(precision), xs, TOLERANCE[precision])
    assert not torch.equal(layer(xs)[0], before)
    if name not in READS_EARLIER_INPUTS:
        assert layer._steps is not None


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("inputs", "hidden", "rows"), SIZES)
@pytest.mark.parametrize("name", ["lstm", "gru"])
@torch.no_grad()
def test_odd_sizes(name, inputs, hidden, rows, precision):
    layer, oracle = pair(name, inputs, hidden)
    xs = torch.randn(4, rows, inputs)
    check(layer.quantise(precision), oracle.quantise(precision), xs, TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@torch.no_grad()
def test_both_directions_with_padding(precision):
    layer = Recurrent("gru", 5, 9, bidirectional=True).eval().quantise(precision)
    xs, lengths = torch.randn(6, 3, 5), torch.tensor([6, 1, 3])
    ys, _ = layer(xs, None, lengths)
    for b, length in enumerate(lengths):
        alone, _ = layer(xs[:length, b : b + 1])
        assert_close(ys[:length, b : b + 1], alone, TOLERANCE[precision])


def test_no_number_is_further_from_its_weight_than_half_a_step():
    matrix = torch.randn(50, 40) * torch.logspace(-6, 6, 50)[:, None]
    error = (rounded(matrix, "bfloat16") - matrix).abs()
    assert (error <= matrix.abs() * 2**-8).all()
    steps = matrix.abs().amax(1, keepdim=True) / 127
    near = rounded(matrix, "int8")
    assert ((near - matrix).abs() <= 0.5001 * steps).all()
    assert all(row.unique().numel() <= 255 for row in near)
    assert torch.equal(rounded(near, "int8").sign(), near.sign())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_no_number_stays_none(precision):
    assert torch.equal(rounded(torch.zeros(2, 3), precision), torch.zeros(2, 3))
    assert rounded(torch.tensor([[1.0, torch.nan]]), precision).isnan().any()
    layer = Recurrent("elman", 3, 4).eval().quantise(precision)
    with torch.no_grad():
        for wrong in (torch.nan, torch.inf, -torch.inf):
            x = torch.zeros(1, 3)
            _, state = layer.step(x)
            x[0, 1] = wrong
            y, _ = layer.step(x, state)
            assert y.isnan().any() or (y.abs() == 1).any()
        layer.weights()["W"][0, 0] = torch.nan
        assert layer.step(torch.ones(1, 3), state)[0][0, 0].isnan()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_training_rounds_and_moves_what_is_not_rounded(engine, precision):
    layer = Recurrent("lstm", 4, 5, engine=engine).quantise(precision)
    plain = Recurrent("lstm", 4, 5, engine="reference")
    with torch.no_grad():
        for name, weight in plain.weights().items():
            given = layer.weights()[name]
            weight.copy_(rounded(given, precision) if given.ndim == 2 else given)
    xs = torch.randn(3, 2, 4)
    for one in (layer, plain):
        one(xs)[0].square().sum().backward()
    for name, gradient in layer.weights(grad=True).items():
        assert_close(gradient, plain.weights(grad=True)[name], "float32 of two engines")


@torch.no_grad()
def test_it_ends_and_outlives_copies():
    layer = Recurrent("lstm", 4, 5).eval()
    xs = torch.randn(3, 2, 4)
    before = layer(xs)[0]
    less = layer.quantise("int8")(xs)[0]
    assert "int8" in layer.plan()
    assert torch.equal(copy.deepcopy(layer)(xs)[0], less)
    assert torch.equal(layer.quantise("float32")(xs)[0], before)
    assert "int8" not in layer.plan()


def test_what_does_not_fit_is_refused_and_changes_nothing():
    with pytest.raises(ConfigError, match="Did you mean 'int8'"):
        Recurrent("lstm", 4, 5).quantise("int")
    for layer, why in (
        (Recurrent("lstm", 4, 5).double(), "float64"),
        (Recurrent("lstm", 4, 5, engine="torch"), "torch"),
        (Recurrent(decoder_program("gru"), 4, 5, sizes={"M": 3}), "source"),
    ):
        with pytest.raises(ConfigError, match=why):
            layer.quantise("int8")
        assert "int8" not in layer.plan()
    layer = Recurrent("lstm", 4, 5).quantise("int8").double()
    with pytest.raises(ConfigError, match="float64"):
        layer(torch.zeros(1, 1, 4, dtype=torch.float64))


@torch.no_grad()
def test_packed_once_and_again_when_weights_change():
    layer = Recurrent("lstm", 4, 5).eval()
    xs = torch.randn(3, 2, 4)
    before, direction = layer(xs)[0], layer._directions()[0]
    kept = direction._kept
    layer(xs)
    assert direction._kept is kept
    layer.weights()["U_f"].mul_(2.0)
    after = layer(xs)[0]
    assert not torch.equal(after, before)
    assert_close(after, copy.deepcopy(layer)(xs)[0], "same bits")
    layer.double()
    assert layer(xs.double())[0].dtype == torch.float64
    direction.flat = torch.nn.Parameter(torch.zeros_like(direction.flat).float())
    assert not layer(xs)[0].any()
