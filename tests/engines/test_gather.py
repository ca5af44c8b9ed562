"""Gradients of weights that lie together: the same as PyTorch's, and written where they lie."""

from __future__ import annotations

import pytest
import torch

from penstock.engines import gather, native, product
from penstock.engines.gather import Gathered, spread
from penstock.equations import parse
from penstock.layers.recurrent import Recurrent
from tests.engines.case import Case, assert_same

SHAPES = [(2, 3), (4,), (3, 1)]


@pytest.fixture
def any_size(monkeypatch):
    """Few numbers take the same way as many."""
    monkeypatch.setattr(gather, "_WORTH", 0)
    monkeypatch.setattr(product, "_WORTH", 0)
    monkeypatch.setattr(product, "_FEWEST", 1)


@pytest.fixture
def flat():
    return torch.randn(13, requires_grad=True)


def loss(parts):
    matrix, vector, column = parts
    return (vector[:3] * (matrix.sum(0) + column[:, 0])).sum() + matrix.exp().sum()


def test_parts_and_gradients_of_every_order(any_size, flat):
    parts, _ = spread(flat, SHAPES)
    plain = [p.view(s) for p, s in zip(flat.split([6, 4, 3]), SHAPES, strict=True)]
    assert all(map(torch.equal, parts, plain))
    for own, expected in zip(derivatives(parts, flat), derivatives(plain, flat), strict=True):
        torch.testing.assert_close(own, expected)


def derivatives(parts, flat):
    (plain,) = torch.autograd.grad(loss(parts), flat, retain_graph=True)
    (first,) = torch.autograd.grad(loss(parts), flat, create_graph=True)
    return plain, first, *torch.autograd.grad(first.square().sum(), flat)


def test_a_part_that_nothing_reads_has_a_gradient_of_zero(any_size, flat):
    parts, gathered = spread(flat, SHAPES)
    gathered.place(parts[1]).fill_(float("nan"))  # of a pass that never came to its end
    parts[0].sum().backward()
    assert flat.grad.tolist() == [1.0] * 6 + [0.0] * 7


def test_what_lies_in_place_is_the_gradient(any_size, flat):
    class Placed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, part):
            return part.sum()

        @staticmethod
        def backward(ctx, grad):
            places.append(gathered.place(parts[0]))
            return places[-1].fill_(grad)

    parts, gathered = spread(flat, SHAPES)
    places = []
    for _ in range(2):  # each pass has a room of its own
        Placed.apply(parts[0]).backward(retain_graph=True)
    (alone,) = torch.autograd.grad(Placed.apply(parts[0]), flat)
    assert alone.data_ptr() == places[-1].data_ptr()
    assert len({place.data_ptr() for place in places}) == 3
    assert flat.grad.tolist() == [2.0] * 6 + [0.0] * 7


def test_who_has_a_place(flat):
    matrix, vector, _ = (part.detach() for part in spread(flat, SHAPES)[0])
    gathered = Gathered(flat)
    assert gathered.place(torch.randn(2, 3)) is None
    assert gathered.place(vector.double()) is None
    assert gathered.place(matrix.T) is None
    assert gathered.place(matrix[1]).shape == (3,)
    assert gathered.place(matrix) is None  # a part of it is given away
    assert gathered.place(matrix[0]).shape == (3,)
    gathered.take()
    assert gathered.place(matrix).shape == (2, 3)


@pytest.mark.parametrize(
    "text",
    [
        "h = tanh(W @ x + U @ h[t-1] + b)",
        "h = tanh(W @ x + U @ h[t-1] + U.T @ h[t-1])",
        "z = sigmoid(W @ x + U @ h[t-1])\nh = z * tanh(V @ x + U @ (z * h[t-1]))",
        "z = sigmoid(W @ x + U @ h[t-1])\nr = tanh(V @ x + E @ h[t-1])\nh = z * tanh(r + U @ r)",
    ],
)
def test_cells_that_read_a_matrix_in_many_places(any_size, text):
    assert_same(Case(parse(text)), native, "float64")
    case = Case(parse(text), hidden=17, padding=True, dtype=torch.float32)
    assert_same(case, native, "float32 of two engines")


def test_gradients_of_a_large_layer():
    """Some at a time, twice, and all: they do not depend on what was asked for before."""
    layer = Recurrent("lstm", 300, 300, engine="native")
    assert layer.stack[0].flat.numel() >= gather._WORTH
    xs = torch.randn(4, 40, 300, requires_grad=True)
    ys = layer(xs)[0].square().sum()
    (of_input,) = torch.autograd.grad(ys, xs, retain_graph=True)
    (first,) = torch.autograd.grad(ys, layer.parameters(), retain_graph=True)
    kept = first.clone()
    ys.backward()
    assert torch.equal(of_input, xs.grad)
    assert torch.equal(kept, first)
    assert torch.equal(kept, layer.stack[0].flat.grad)
