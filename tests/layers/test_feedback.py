"""Gated-feedback stacks against the paper's equations in numpy, and their special cases.

Chung, Gulcehre, Cho & Bengio 2015, equation 12 and section 3.1.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import torch

from penstock.errors import ConfigError
from penstock.layers.feedback import feedback_equations, gated_feedback
from penstock.layers.recurrent import Recurrent

D, H, B, T = 3, 4, 2, 6
UNITS = ["tanh", "gru", "lstm"]
CLOSE = {"rtol": 1e-10, "atol": 1e-12}  # float64, one order of additions against another

every_unit = pytest.mark.parametrize("unit", UNITS)
deep = pytest.mark.parametrize("layers", [2, 3])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def step(unit, w, x, h, c):
    """One sequence, one step: h and c are lists with each layer's previous state."""
    layers = len(h)
    h_star, below, new_h, new_c, gates = np.concatenate(h), x, [], [], {}
    for j in range(1, layers + 1):
        old = h[j - 1]

        def unitwise(name, j=j, below=below, old=old):
            return sigmoid(w[f"W_{name}{j}"] @ below + w[f"U_{name}{j}"] @ old + w[f"b_{name}{j}"])

        feedback = np.zeros(H)
        for i in range(1, layers + 1):
            u = np.concatenate([w[f"u_{i}_{j}_{k}"] for k in range(1, layers + 1)])
            gates[f"g_{i}_{j}"] = g = sigmoid(w[f"w_{i}_{j}"] @ below + u @ h_star)
            feedback += g * (w[f"U_{i}_{j}"] @ h[i - 1])
        if unit == "gru":
            feedback = unitwise("r") * feedback
        memory = np.tanh(w[f"W_{j}"] @ below + feedback + w[f"b_{j}"])
        if unit == "gru":
            z = unitwise("z")
            memory = (1 - z) * old + z * memory
        if unit == "lstm":
            new_c.append(unitwise("f") * c[j - 1] + unitwise("i") * memory)
            memory = unitwise("o") * np.tanh(new_c[-1])
        new_h.append(memory)
        below = memory
    return new_h, new_c, gates


def made(unit, layers):
    """A layer with weights large enough to tell every term."""
    torch.manual_seed(5)
    layer = gated_feedback(unit, D, H, layers).double()
    for weight in layer.weights().values():
        weight.normal_(0.0, 0.7)
    return layer


def random_state(layer):
    fields = layer.stack[0].first_state(B)
    return tuple(torch.randn(1, B, H, dtype=torch.float64) for _ in fields), tuple(fields)


@every_unit
@deep
def test_one_step_is_the_papers(unit, layers):
    layer = made(unit, layers)
    w = {name: weight.numpy() for name, weight in layer.weights().items()}
    state, fields = random_state(layer)
    xs = torch.randn(1, B, D, dtype=torch.float64)
    with torch.no_grad():
        ys, end, (trace,) = layer(xs, state, trace=True)
    before = {name: value[0].numpy() for name, value in zip(fields, state, strict=True)}
    for row in range(B):
        h = [before[f"h_{j}"][row] for j in range(1, layers + 1)]
        c = [before[f"c_{j}"][row] for j in range(1, layers + 1) if unit == "lstm"]
        new_h, new_c, gates = step(unit, w, xs[0, row].numpy(), h, c)
        np.testing.assert_allclose(ys[0, row], new_h[-1], **CLOSE)
        for j, value in enumerate(new_h, 1):
            np.testing.assert_allclose(getattr(end, f"h_{j}")[0, row], value, **CLOSE)
        for j, value in enumerate(new_c, 1):
            np.testing.assert_allclose(getattr(end, f"c_{j}")[0, row], value, **CLOSE)
        for name, value in gates.items():
            np.testing.assert_allclose(trace[name][0, row, 0], value, **CLOSE)


def fixed(unit, layers, gate):
    """A layer whose global gates are the numbers ``gate(i, j)``."""
    text = re.sub(
        r"^g_(\d)_(\d) = .*$",
        lambda line: f"g_{line[1]}_{line[2]} = {gate(int(line[1]), int(line[2]))}",
        feedback_equations(unit, layers),
        flags=re.MULTILINE,
    )
    return Recurrent(text, D, H).double()


RESET_AFTER = """
r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)
z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
n = tanh(W_n @ x + r * (U_n @ h[t-1]) + b_n)
h = (1 - z) * h[t-1] + z * n
"""


@deep
@pytest.mark.parametrize(
    ("unit", "cell", "memory"),
    [("tanh", "elman", ""), ("gru", RESET_AFTER, "_n"), ("lstm", "lstm", "_g")],
)
def test_gates_open_to_the_own_layer_alone_give_a_conventional_stack(unit, cell, memory, layers):
    feedback = fixed(unit, layers, lambda i, j: int(i == j))
    stack = Recurrent(cell, D, H, layers).double()
    ours = feedback.weights()
    for j in range(1, layers + 1):
        for name, weight in stack.weights(j - 1).items():
            kind = name[0]
            if name == kind + memory:
                weight.copy_(ours[f"U_{j}_{j}" if kind == "U" else f"{kind}_{j}"])
            else:
                weight.copy_(ours[f"{name}{j}"])
    xs = torch.randn(T, B, D, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(feedback(xs)[0], stack(xs)[0], **CLOSE)


@every_unit
def test_closed_gates_leave_the_state_to_the_units_own_gates(unit):
    layer = fixed(unit, 2, lambda i, j: 0)
    xs = torch.randn(T, B, D, dtype=torch.float64)
    with torch.no_grad():
        ys = layer(xs)[0]
        for i, j in itertools.product((1, 2), repeat=2):
            layer.weights()[f"U_{i}_{j}"].normal_()
        torch.testing.assert_close(layer(xs)[0], ys, rtol=0, atol=0)
        if unit != "tanh":
            layer.weights()["U_z1" if unit == "gru" else "U_f1"].normal_()
            assert not torch.allclose(layer(xs)[0], ys)


@every_unit
def test_upper_layer_speaks_to_lower_layer(unit):
    layer = made(unit, 2)
    xs = torch.zeros(1, B, D, dtype=torch.float64)
    state, fields = random_state(layer)
    place = fields.index("h_2")
    other = (*state[:place], state[place] + 1, *state[place + 1 :])
    with torch.no_grad():
        (_, one), (_, two) = layer(xs, state), layer(xs, other)
    assert not torch.allclose(one.h_1, two.h_1)


@every_unit
@deep
def test_gradients(unit, layers):
    layer = made(unit, layers)
    xs = torch.randn(3, B, D, dtype=torch.float64, requires_grad=True)

    def run(xs, flat):
        return torch.func.functional_call(layer, {"stack.0.flat": flat}, (xs,))[0]

    assert torch.autograd.gradcheck(run, (xs, layer.stack[0].flat), fast_mode=True)


@every_unit
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_number_of_parameters(unit, layers):
    below = D + (layers - 1) * H
    memory = H * below + layers**2 * H**2 + layers * H
    gates = {"tanh": 0, "gru": 2, "lstm": 3}[unit] * (H * below + layers * (H**2 + H))
    global_gates = layers * below + layers**2 * layers * H
    layer = gated_feedback(unit, D, H, layers)
    assert sum(p.numel() for p in layer.parameters()) == memory + gates + global_gates


@every_unit
def test_trace_shows_the_global_gates(unit):
    _, _, (trace,) = made(unit, 3)(torch.randn(T, B, D, dtype=torch.float64), trace=True)
    for i in (1, 2, 3):
        for j in (1, 2, 3):
            gate = trace[f"g_{i}_{j}"]
            assert gate.shape == (T, B, 1)
            assert ((gate > 0) & (gate < 1)).all()


@pytest.mark.parametrize(
    ("unit", "layers", "message"),
    [
        ("gruu", 2, "unknown unit 'gruu'. Did you mean 'gru'?"),
        ("gru", 0, "expected num_layers >= 1, got num_layers=0"),
        ("gru", True, "expected num_layers >= 1, got num_layers=True"),
    ],
)
def test_mistakes(unit, layers, message):
    with pytest.raises(ConfigError, match=message):
        feedback_equations(unit, layers)


def test_forget_gates_begin_open():
    layer = gated_feedback("lstm", D, H, 2)
    for number in (1, 2):
        assert layer.weights()[f"b_f{number}"].eq(1).all()


@every_unit
def test_layers_hear_nothing_of_each_other_at_the_start(unit):
    weights = gated_feedback(unit, D, H, 3).weights()
    for i, j in itertools.product((1, 2, 3), repeat=2):
        assert weights[f"U_{i}_{j}"].eq(0).all() == (i != j)
