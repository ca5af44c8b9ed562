"""The loop's products of float32 as whole numbers: near float64, exact where they can be, and not
made where they would not stand for the numbers.
"""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from penstock._native import has_tiles
from penstock.engines import machine
from penstock.engines.precision import FIXED, FULL
from penstock.layers.recurrent import Recurrent
from tests.engines.test_product import switch
from tests.layers.test_bfloat16 import of_whole_numbers, whole_numbers
from tests.layers.test_bfloat16 import run as outputs_and_gradients

__all__ = ["switch"]

pytestmark = pytest.mark.skipif(not has_tiles(), reason="the processor has no tile registers")
CELLS = ["lstm", "gru", "gru-pytorch", "elman", "lstm-peephole-full"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def always(monkeypatch):
    """Small products are made so too."""

    def way(self, precision, dtype, rows=1):
        return FIXED if precision == FULL and dtype == torch.float32 else precision

    monkeypatch.setattr(machine.Compiled, "way", way)


@pytest.fixture
def ways(monkeypatch):
    """The precisions in which panels were packed."""
    seen, real = [], machine.Compiled._pack

    def pack(self, matrices, precision):
        packed, is_exact = real(self, matrices, precision)
        if precision != FIXED or is_exact:
            seen.append(precision)
        return packed, is_exact

    monkeypatch.setattr(machine.Compiled, "_pack", pack)
    return seen


def errors(layer, xs, **options):
    """Of outputs and gradients, relative to float64: root mean squares."""
    exact = deepcopy(layer).double()
    found = outputs_and_gradients(layer, xs, **options)
    true = outputs_and_gradients(exact, xs.double(), **options)
    return [float((a - b).norm() / b.norm()) for a, b in zip(found, true, strict=True)]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden", [1, 7, 63, 64, 65, 130])
@pytest.mark.parametrize("rows", [1, 2, 16, 17, 31, 32, 33, 70])
def test_as_near_to_float64_as_float32(always, cell, hidden, rows):
    layer = Recurrent(cell, hidden, hidden, engine="native")
    assert max(errors(layer, torch.randn(4, rows, hidden))) < 2e-6


def test_padding_resets_and_both_directions(always):
    layer = Recurrent("lstm", 100, 100, num_layers=2, bidirectional=True, engine="native")
    lengths, reset = torch.randint(1, 8, (20,)), torch.rand(7, 20) > 0.7
    assert max(errors(layer, torch.randn(7, 20, 100), lengths=lengths, reset=reset)) < 2e-6


@pytest.mark.parametrize("rows", [1, 20, 40])
@pytest.mark.parametrize("gates", [1, 2, 3, 4])
def test_small_whole_numbers_stay_exact(always, gates, rows):
    mine, oracle = (of_whole_numbers(gates, 70, engine) for engine in ("native", "reference"))
    xs = whole_numbers(3, rows, 70)
    found, true = outputs_and_gradients(mine, xs), outputs_and_gradients(oracle, xs)
    assert all(map(torch.equal, found, true))


@pytest.mark.parametrize("odd", [torch.inf, -torch.inf, torch.nan, 1e30, -1e-38])
def test_rows_that_are_no_whole_numbers(always, odd):
    torch.manual_seed(0)
    layer = Recurrent("irnn", 80, 80, engine="native").requires_grad_(False)
    xs = torch.rand(3, 20, 80)
    xs[0, 4, 5] = odd
    reference = deepcopy(layer)
    reference.engine = "reference"
    found, true = layer(xs)[0], Recurrent.forward(reference, xs)[0]
    torch.testing.assert_close(found, true, equal_nan=True)


@pytest.mark.parametrize("lengths", [None, torch.arange(1, 65)])
@pytest.mark.parametrize("hidden", [40, 200, 400])
def test_the_same_bits_for_any_number_of_threads(always, hidden, lengths):
    layer, xs = Recurrent("lstm", hidden, hidden, engine="native"), torch.randn(64, 64, hidden)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        layer.zero_grad()
        found.append(
            outputs_and_gradients(layer, xs[:6] if lengths is None else xs, lengths=lengths)
        )
        found[-1] = [tensor.clone() for tensor in found[-1]]
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


def test_who_is_worth_it(ways, switch):
    """Some rows of a large cell; not where PyTorch is asked for float32 and nothing else."""
    xs = torch.randn(2, 20, 200)
    with torch.no_grad():
        Recurrent("lstm", 200, 200, engine="native")(xs)
        Recurrent("lstm", 200, 16, engine="native")(xs)
        Recurrent("lstm", 200, 200, engine="native")(xs[:, :1])
        Recurrent("lstm", 200, 200, engine="native").double()(xs.double())
    assert ways == [FULL if switch == "ieee" else FIXED, FULL, FULL, FULL]
    large, small = (Recurrent("lstm", 200, hidden, engine="native").plan() for hidden in (200, 16))
    assert ("whole numbers" in large) == (switch != "ieee")
    assert "whole numbers" not in small


def test_batches_of_all_sizes_share_what_is_packed(ways):
    layer = Recurrent("lstm", 200, 200, engine="native").eval()
    with torch.no_grad():
        for rows in (20, 7, 33, 1, 20):
            layer(torch.randn(2, rows, 200))
    assert ways == [FIXED, FULL]


def test_uneven_matrices_are_left_alone(ways):
    layer = Recurrent("elman", 10, 1100, engine="native")
    with torch.no_grad():
        layer.weights()["U"].fill_(1e-6)[3, 4] = 1.0
        layer(torch.randn(2, 20, 10))
    assert ways == [FULL]


def test_weights_that_change_are_packed_anew():
    layer, xs = Recurrent("lstm", 150, 150, engine="native").eval(), torch.randn(3, 20, 150)
    with torch.no_grad():
        before = layer(xs)[0]
        for weight in layer.parameters():
            weight.mul_(1.5)
        after = layer(xs)[0]
        anew = deepcopy(layer)(xs)[0]
    assert not torch.equal(before, after)
    assert torch.equal(after, anew)
