"""What the lectures write of deep networks, gates and the way of a gradient, in numpy.

Lecture 002: section 2.4 and equations 17 to 22.  Lecture 003: deep networks, products of
Jacobians, the sum of an LSTM's memories.  Lecture 004: linear updates and gating.  One step of
each cell is in ``tests/cells``.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from penstock.layers.output import Softmax
from penstock.layers.recurrent import Recurrent

V, H, T = 5, 4, 9
CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # float64, one order of additions against another


def test_identity_and_relu_pass_the_gradient_unchanged():
    """Lecture 002, section 2.4: through units that are active, from any step to any later one."""
    layer = Recurrent("irnn", 2, H).double()
    first = torch.full((H,), 3.0, dtype=torch.float64)  # active, and stays so
    xs = torch.randn(50, 1, 2, dtype=torch.float64)
    last = torch.autograd.functional.jacobian(lambda h: layer(xs, (h[None, None],))[0][-1], first)
    np.testing.assert_allclose(last[0], np.eye(H), **CLOSE)


@pytest.mark.parametrize(
    ("size", "grows"), [(0.5, False), (1.6, True)], ids=["vanishing", "exploding"]
)
def test_gradient_at_a_distance_is_a_product(size, grows):
    """Lecture 003: grad_h(t) l = (prod over t' of U^T diag(1 - h(t')^2)) grad_h(t+delta) l."""
    torch.manual_seed(8)
    layer = Recurrent("elman", 3, H).double()
    with torch.no_grad():
        layer.weights()["U"].copy_(size * torch.linalg.qr(torch.randn(H, H).double())[0])
        layer.weights()["W"].mul_(0.01)
        layer.weights()["b"].zero_()
    U = layer.weights()["U"].numpy()
    first = torch.full((1, 1, H), 1e-4, dtype=torch.float64, requires_grad=True)
    hs, _ = layer(1e-3 * torch.randn(12, 1, 3, dtype=torch.float64), (first,))
    later = np.random.default_rng(1).normal(size=H)  # gradient of a loss by h(t + delta)
    (hs[-1, 0] @ torch.from_numpy(later)).backward()
    expected = later
    for h in hs.detach().numpy()[::-1, 0]:
        expected = U.T @ np.diag(1 - h**2) @ expected
    np.testing.assert_allclose(first.grad[0, 0], expected, **CLOSE)
    ratio = np.linalg.norm(expected) / np.linalg.norm(later)
    assert (ratio > 20) if grows else (ratio < 0.001)


@pytest.mark.parametrize("layers", [1, 3])
def test_deep_bidirectional_network(layers):
    """Lecture 002, equations 17 to 22, figures 8 and 9; lecture 000, going deep."""
    torch.manual_seed(9)
    stack = Recurrent("elman", 3, H, layers, bidirectional=True).double()
    output = Softmax(2 * H, V).double()
    xs = torch.randn(T, 1, 3, dtype=torch.float64)
    h = list(xs[:, 0].numpy())
    for layer in range(layers):
        (W, V_, b), (W2, V2, b2) = (
            [stack.weights(layer, way)[name].numpy() for name in ("W", "U", "b")] for way in (0, 1)
        )
        right, left = [np.zeros(H)], [np.zeros(H)]
        for t in range(T):
            right.append(np.tanh(W @ h[t] + V_ @ right[-1] + b))  # (17), (20)
            left.append(np.tanh(W2 @ h[T - 1 - t] + V2 @ left[-1] + b2))  # (18), (21)
        h = [np.concatenate(pair) for pair in zip(right[1:], left[:0:-1], strict=True)]
    U, c = output.weight.detach().numpy(), output.bias.detach().numpy()
    expected = [softmax(U @ both + c) for both in h]  # (19), (22)
    hs, state = stack(xs)
    found = torch.softmax(output(hs[:, 0]), -1).detach()
    np.testing.assert_allclose(found, expected, **CLOSE)
    np.testing.assert_allclose(state.h[-2:, 0].detach(), [right[-1], left[-1]], **CLOSE)


def test_deep_network():
    """Lecture 003: the layer above reads the hidden layer below at the same step."""
    torch.manual_seed(9)
    stack = Recurrent("elman", 3, H, 2).double()
    xs = torch.randn(T, 1, 3, dtype=torch.float64)
    one, two = ({n: w.numpy() for n, w in stack.weights(layer).items()} for layer in (0, 1))
    h1, h2, expected = np.zeros(H), np.zeros(H), []
    for x in xs[:, 0].numpy():
        h1 = np.tanh(one["b"] + one["U"] @ h1 + one["W"] @ x)
        h2 = np.tanh(two["b"] + two["U"] @ h2 + two["W"] @ h1)
        expected.append(h2)
    np.testing.assert_allclose(stack(xs)[0][:, 0].detach(), expected, **CLOSE)


def traced(cell):
    """Every named value of a layer over a text, (T, size) each."""
    torch.manual_seed(7)
    layer = Recurrent(cell, 3, H).double()
    *_, (values,) = layer(torch.randn(T, 1, 3, dtype=torch.float64), trace=True)
    return {name: value[:, 0].detach().numpy() for name, value in values.items()}


def test_cell_is_a_sum_of_gated_memories():
    """Lecture 003: c(t) = sum over t' of f(t) ... f(t'+1) i(t') new(t')."""
    v = traced("lstm")
    for t in range(T):
        terms = [v["f"][k + 1 : t + 1].prod(0) * v["i"][k] * v["g"][k] for k in range(t + 1)]
        np.testing.assert_allclose(v["c"][t], sum(terms), **CLOSE)


def test_linear_update_is_a_sum_of_updates():
    """Lecture 004: s(t) = sum of the updates up to t; no activation between."""
    v = traced("linear-update")
    np.testing.assert_allclose(v["h"], v["g"].cumsum(0), **CLOSE)


def test_gate_reads_erases_and_scales():
    """Lecture 004, the answer: gating; element by element."""
    s = [0.4, 0.1, -3.2, -1.11, 4.9, -0.21, 0.4]
    for m in ([0, 0, 1, 0, 1, 0, 0], [0.1, 0.01, 0.5, 0.1, 0.9, 0.2, 0.4]):
        layer = Recurrent("h: D\nh = m * x", 7, 1)
        layer.weights()["m"].copy_(torch.tensor(m))
        ys, _ = layer(torch.tensor(s)[None, None])
        np.testing.assert_allclose(
            ys[0, 0].detach(), [a * b for a, b in zip(s, m, strict=True)], rtol=1e-6
        )
