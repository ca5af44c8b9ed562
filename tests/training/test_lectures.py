"""What the lectures write of training recurrent networks, written out in numpy.

Lecture 001: forward pass and delta rules.  Lecture 002: equations 5 to 16 and algorithm 1.
Lecture 003: backpropagation through time.  Layers are in ``tests/layers/test_lectures.py``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from penstock.metrics import Perplexity
from penstock.models.language import LanguageModel
from penstock.training.bptt import TruncatedBPTT
from penstock.training.clip import clip_norm

V, H, T = 5, 4, 9
CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # float64, one order of additions against another
IDS = np.random.default_rng(2).integers(V, size=T + 1)


class Text:
    """One column of symbols."""

    steps, batch = T, 1

    def __call__(self, start, stop):
        ids = torch.from_numpy(IDS)[:, None]
        return ids[start:stop], ids[start + 1 : stop + 1]


def make(cell, scale=0.8):
    """A language model whose embedding is one-hot, as lecture 001 has it, and its weights."""
    torch.manual_seed(6)
    model = LanguageModel(V, cell, embedding_size=V, hidden_size=H).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, scale)
        model.embedding.weight.copy_(torch.eye(V))
    w = {name: weight.numpy() for name, weight in model.recurrent.weights().items()}
    w |= {"S": model.output.weight.detach().numpy(), "c": model.output.bias.detach().numpy()}
    return model, w


def backward(model, k1=T, k2=T, updates=(0,)):
    """Gradients of the sum of the losses of some updates, by name."""
    model.zero_grad()
    bptt = TruncatedBPTT(model, Text(), k1, k2)
    for number in range(max(updates) + 1):
        loss, tokens = bptt.loss(number)
        if number in updates:
            (loss * tokens).backward()
    found = {n: g.numpy().copy() for n, g in model.recurrent.weights(grad=True).items()}
    return found | {"S": model.output.weight.grad.numpy(), "c": model.output.bias.grad.numpy()}


def forward(w, f):
    """Lecture 001, equations 1 to 4; lecture 002, equations 5 and 6: s(0) ... s(T), y(1) ... y(T).

    s(t) = f(net(t)),  net(t) = V x(t) + U s(t-1) + b,  y(t) = softmax(W s(t) + c)
    """
    s, y = [np.zeros(H)], []
    for t in range(T):
        net = w["W"] @ np.eye(V)[IDS[t]] + w["U"] @ s[-1] + w.get("b", 0.0)
        s.append(f(net))
        y.append(softmax(w["S"] @ s[-1] + w["c"]))
    return s, y


@pytest.mark.parametrize(("cell", "f"), [("elman-sigmoid", expit), ("elman", np.tanh)])
def test_recurrent_model_gives_the_probability_of_the_next_symbol(cell, f):
    model, w = make(cell)
    s, y = forward(w, f)
    state, total = model.start(1), 0.0
    for t in range(T):
        log_p, state = model.step(torch.tensor(IDS[t : t + 1]), state)
        np.testing.assert_allclose(log_p[0].detach().exp(), y[t], **CLOSE)
        np.testing.assert_allclose(state.h[0, 0].detach(), s[t + 1], **CLOSE)
        total += log_p[0, IDS[t + 1]].item()
    hidden, _ = model(torch.from_numpy(IDS)[:-1, None])
    product = np.prod([y[t][IDS[t + 1]] for t in range(T)])  # the chain rule, no Markov assumption
    assert math.exp(total) == pytest.approx(product, rel=1e-9)
    losses = model.losses(hidden, torch.from_numpy(IDS)[1:, None])
    assert math.exp(-losses.sum().item()) == pytest.approx(product, rel=1e-9)


def test_cross_entropy_and_perplexity():
    """Lecture 002, equations 7 to 9, with J in bits."""
    model, w = make("elman-sigmoid")
    _, y = forward(w, expit)
    one_hot = np.eye(V)[IDS[1:]]
    each = [-sum(one_hot[t, j] * np.log2(y[t][j]) for j in range(V)) for t in range(T)]  # (7)
    total = sum(each) / T  # (8)
    hidden, _ = model(torch.from_numpy(IDS)[:-1, None])
    losses = model.losses(hidden, torch.from_numpy(IDS)[1:, None])[:, 0].detach()
    np.testing.assert_allclose(losses / math.log(2), each, **CLOSE)
    found = Perplexity(nats=losses.sum().item(), tokens=T)
    assert found.bits_per_token == pytest.approx(total, rel=1e-12)
    assert found.perplexity == pytest.approx(2**total, rel=1e-12)  # (9)


def test_bptt_pseudocode():
    """Lecture 003, backpropagation through time of a tanh network."""
    model, w = make("elman")
    h, y = forward(w, np.tanh)
    dV, dW, dU, db = (np.zeros_like(w[name]) for name in ("S", "W", "U", "b"))
    dh = [np.zeros(H) for _ in range(T + 1)]
    for t in range(T, 0, -1):  # the lecture's T-1 to 0, with h[0] before the first step
        dl = y[t - 1] - np.eye(V)[IDS[t]]
        dV += np.outer(dl, h[t])
        dh[t] += w["S"].T @ dl
        da = (1 - h[t] ** 2) * dh[t]
        dW += np.outer(da, np.eye(V)[IDS[t - 1]])
        dU += np.outer(da, h[t - 1])
        db += da
        dh[t - 1] = w["U"].T @ da
    found = backward(model)
    for name, expected in {"S": dV, "W": dW, "U": dU, "b": db}.items():
        np.testing.assert_allclose(found[name], expected, **CLOSE)


@pytest.mark.parametrize("tau", [0, 1, 3, T])
def test_delta_rules(tau):
    """Lecture 001: the standard delta rule, applied back through tau earlier steps.

    With cross entropy the g' of the output's delta cancels: delta = d - y.  One symbol an update
    (k1 = 1) and gradients through the present step and tau before it (k2 = tau + 1).
    """
    model, w = make("elman-sigmoid")
    s, y = forward(w, expit)
    delta_w, delta_v, delta_u = (np.zeros_like(w[name]) for name in ("S", "W", "U"))
    for t in range(1, T + 1):
        d = np.eye(V)[IDS[t]] - y[t - 1]
        delta_w += np.outer(d, s[t])
        delta = w["S"].T @ d * s[t] * (1 - s[t])
        for back in range(min(tau, t - 1) + 1):
            now = t - back
            delta_v += np.outer(delta, np.eye(V)[IDS[now - 1]])
            delta_u += np.outer(delta, s[now - 1])
            delta = w["U"].T @ delta * s[now - 1] * (1 - s[now - 1])
    found = backward(model, 1, tau + 1, range(T))
    for name, change in {"S": delta_w, "W": delta_v, "U": delta_u}.items():
        np.testing.assert_allclose(found[name], -change, **CLOSE)


def jacobians(w, s):
    """d h_j / d h_(j-1) for j = 1 ... T.

    Equation 12 writes it W^T diag[f'(h_(j-1))]; the derivative of equation 5 is diag[f'] W.
    """
    return [np.diag(s[j] * (1 - s[j])) @ w["U"] for j in range(1, T + 1)]


def test_gradient_is_a_sum_over_steps_and_products_of_jacobians():
    """Lecture 002, equations 10 to 14, for the recurrent matrix."""
    model, w = make("elman-sigmoid")
    s, y = forward(w, expit)
    jacobian = jacobians(w, s)
    expected = np.zeros((H, H))
    for t in range(1, T + 1):  # (10)
        by_state = w["S"].T @ (y[t - 1] - np.eye(V)[IDS[t]])  # dE_t/dy_t dy_t/dh_t
        for k in range(1, t + 1):  # (11), (14)
            product = np.eye(H)
            for j in range(k + 1, t + 1):  # (12)
                product = jacobian[j - 1] @ product
            immediate = product.T @ by_state * s[k] * (1 - s[k])
            expected += np.outer(immediate, s[k - 1])
    np.testing.assert_allclose(backward(model)["U"], expected, **CLOSE)


@pytest.mark.parametrize("scale", [0.3, 0.8, 5.0])
def test_jacobian_of_the_layer_and_the_bound_of_its_norm(scale):
    """Lecture 002, equations 13, 15 and 16; f' of the sigmoid is 1/4 at most."""
    model, w = make("elman-sigmoid", scale)
    s, _ = forward(w, expit)
    expected = jacobians(w, s)
    beta = np.linalg.norm(w["U"], 2) * 0.25
    for j in range(1, T + 1):
        x = torch.eye(V, dtype=torch.float64)[IDS[j - 1]][None]

        def layer(h, x=x):
            return model.recurrent.step(x, (h[None, None],))[0][0]

        found = torch.autograd.functional.jacobian(layer, torch.from_numpy(s[j - 1]))
        np.testing.assert_allclose(found, expected[j - 1], **CLOSE)
        assert np.linalg.norm(found, 2) <= beta
    for k in range(T):
        for t in range(k + 1, T + 1):
            product = np.linalg.multi_dot([np.eye(H), *expected[k:t][::-1], np.eye(H)])
            assert np.linalg.norm(product, 2) <= beta ** (t - k) * (1 + 1e-12)


@pytest.mark.parametrize("threshold", [1e-3, 0.5, 1e3])
def test_norm_clipping(threshold):
    """Lecture 002, algorithm 1; lecture 003 with theta all parameters of the model."""
    model, _ = make("elman-sigmoid")
    gradient = backward(model)
    g = np.concatenate([gradient[name].ravel() for name in ("W", "U", "S", "c")])
    if np.linalg.norm(g) >= threshold:
        g = threshold / np.linalg.norm(g) * g
    clip_norm([p.grad for n, p in model.named_parameters() if n != "embedding.weight"], threshold)
    views = model.recurrent.weights(grad=True)
    views |= {"S": model.output.weight.grad, "c": model.output.bias.grad}
    clipped = torch.cat([views[name].flatten() for name in ("W", "U", "S", "c")])
    np.testing.assert_allclose(clipped, g, **CLOSE)
