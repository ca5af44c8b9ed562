"""Layers before those who record operations or play them through without numbers."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from penstock.layers.output import Softmax
from penstock.layers.recurrent import Recurrent

SIZES = [(5, 2, 20), (20, 21, 160)]
"""T, B, H; products of the second are large."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grad", [True, False])
def test_tensors_without_numbers(size, grad):
    steps, batch, hidden = size
    mode = FakeTensorMode()
    with mode:
        layer = Recurrent("lstm", hidden, hidden, 2)
        output = Softmax(hidden, 3000)
        xs = torch.randn(steps, batch, hidden, requires_grad=grad)
        targets = torch.zeros(steps * batch, dtype=torch.long)
    with torch.set_grad_enabled(grad):
        ys, state = layer(xs)
        y, _ = layer.step(xs[0], state)
        loss = output.loss(ys.flatten(0, 1), targets)
        assert all(isinstance(value, FakeTensor) for value in (ys, y, state.c, loss))
        assert (ys.shape, state.c.shape) == ((steps, batch, hidden), (2, batch, hidden))
    if grad:
        with mode:
            (loss + y.sum()).backward()
        assert xs.grad.shape == xs.shape


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("record", [make_fx, torch.jit.trace])
def test_what_is_recorded_computes_the_same(size, record):
    steps, batch, hidden = size
    layer = Recurrent("gru", hidden, hidden).requires_grad_(False)
    first, other = torch.randn(2, steps, batch, hidden)
    if record is make_fx:
        recorded = make_fx(lambda xs: layer(xs)[0])(first)
    else:
        recorded = torch.jit.trace(lambda xs: layer(xs)[0], (first,), check_trace=False)
    torch.testing.assert_close(recorded(other), layer(other)[0])
