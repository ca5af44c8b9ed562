"""Elman, GRU, mutated, minimal and highway cells against their papers' equations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from penstock.layers.recurrent import Recurrent
from tests.cells.by_hand import gate, only_h

sigmoid, tanh, relu = torch.sigmoid, torch.tanh, torch.relu


def elman_sigmoid(w, x, s):
    return only_h(sigmoid(s.h @ w["U"].T + x @ w["W"].T))


def linear_update(w, x, s):
    return only_h(s.h + tanh(s.h @ w["U"].T + x @ w["W"].T + w["b"]))


def gated_update(w, x, s):
    read, write, keep = (sigmoid(gate(w, k, x, s.h)) for k in "rif")
    return only_h(keep * s.h + write * tanh(gate(w, "g", x, read * s.h)))


def gru(w, x, s):
    """Lectures 003 and 004: z weighs the new memory."""
    r, z = sigmoid(gate(w, "r", x, s.h)), sigmoid(gate(w, "z", x, s.h))
    return only_h((1 - z) * s.h + z * tanh(gate(w, "n", x, r * s.h)))


def gru_cho(w, x, s):
    """Cho et al. 2014, equations 5 to 8: z weighs the old state."""
    r, z = sigmoid(gate(w, "r", x, s.h)), sigmoid(gate(w, "z", x, s.h))
    return only_h(z * s.h + (1 - z) * tanh(gate(w, "n", x, r * s.h)))


def gru_reset_after(w, x, s):
    """Lecture 002, section 3."""
    z = sigmoid(x @ w["W_z"].T + s.h @ w["U_z"].T)
    r = sigmoid(x @ w["W_r"].T + s.h @ w["U_r"].T)
    new = tanh(r * (s.h @ w["U_n"].T) + x @ w["W_n"].T)
    return only_h((1 - z) * new + z * s.h)


def mut1(w, x, s):
    z = sigmoid(x @ w["W_z"].T + w["b_z"])
    r = sigmoid(gate(w, "r", x, s.h))
    n = tanh((r * s.h) @ w["U_n"].T + tanh(x @ w["W_n"].T) + w["b_n"])
    return only_h(n * z + s.h * (1 - z))


def mut2(w, x, s):
    z, r = sigmoid(gate(w, "z", x, s.h)), sigmoid(gate(w, "r", x, s.h))
    return only_h(tanh(gate(w, "n", x, r * s.h)) * z + s.h * (1 - z))


def mut3(w, x, s):
    z, r = sigmoid(gate(w, "z", x, tanh(s.h))), sigmoid(gate(w, "r", x, s.h))
    return only_h(tanh(gate(w, "n", x, r * s.h)) * z + s.h * (1 - z))


def mgu(w, x, s):
    f = sigmoid(gate(w, "f", x, s.h))
    return only_h((1 - f) * s.h + f * tanh(gate(w, "n", x, f * s.h)))


def ligru(w, x, s):
    z = sigmoid(gate(w, "z", x, s.h))
    return only_h(z * s.h + (1 - z) * relu(gate(w, "n", x, s.h)))


def janet(w, x, s):
    a = gate(w, "f", x, s.h)
    return only_h(sigmoid(a) * s.h + (1 - sigmoid(a - 1)) * tanh(gate(w, "g", x, s.h)))


def ugrnn(w, x, s):
    g = sigmoid(gate(w, "g", x, s.h))
    return only_h(g * s.h + (1 - g) * tanh(gate(w, "n", x, s.h)))


def ran(w, x, s):
    i, f = sigmoid(gate(w, "i", x, s.h)), sigmoid(gate(w, "f", x, s.h))
    c = i * (x @ w["W_c"].T) + f * s.c
    return tanh(c), {"h": tanh(c), "c": c}


def star(w, x, s):
    k = sigmoid(gate(w, "k", x, s.h))
    return only_h(tanh((1 - k) * s.h + k * tanh(x @ w["W_z"].T + w["b_z"])))


def cfn(w, x, s):
    theta, eta = sigmoid(gate(w, "f", x, s.h)), sigmoid(gate(w, "i", x, s.h))
    return only_h(theta * tanh(s.h) + eta * tanh(x @ w["W_h"].T))


def rhn(w, x, s):
    """Zilly et al. 2017, equations 6 to 9, with c = 1 - t and three layers."""
    old = s.h
    for n, first in ((1, 1.0), (2, 0.0), (3, 0.0)):
        h = tanh(first * (x @ w["W_g"].T) + old @ w[f"U_g{n}"].T + w[f"b_g{n}"])
        t = sigmoid(first * (x @ w["W_z"].T) + old @ w[f"U_z{n}"].T + w[f"b_z{n}"])
        old = h * t + old * (1 - t)
    return only_h(old)


def intersection(w, x, s):
    y_in, h_in = relu(gate(w, "y", x, s.h)), tanh(gate(w, "n", x, s.h))
    g_y, g_h = sigmoid(gate(w, "d", x, s.h)), sigmoid(gate(w, "f", x, s.h))
    y = g_y * (x @ w["W_x"].T) + (1 - g_y) * y_in
    return y, {"h": g_h * s.h + (1 - g_h) * h_in}


PAPERS = {
    "elman-sigmoid": elman_sigmoid,
    "linear-update": linear_update,
    "gated-update": gated_update,
    "gru": gru,
    "gru-cho": gru_cho,
    "gru-reset-after": gru_reset_after,
    "mut1": mut1,
    "mut2": mut2,
    "mut3": mut3,
    "mgu": mgu,
    "ligru": ligru,
    "janet": janet,
    "ugrnn": ugrnn,
    "ran": ran,
    "star": star,
    "cfn": cfn,
    "rhn": rhn,
    "intersection": intersection,
}


@pytest.mark.parametrize("cell", PAPERS)
def test_cell_computes_what_its_paper_writes(cell, follows):
    follows(cell, PAPERS[cell])


def test_gru_pytorch_equals_pytorch():
    torch.manual_seed(0)
    layer, module = Recurrent("gru-pytorch", 3, 8).double(), nn.GRU(3, 8, dtype=torch.float64)
    w = layer.weights()
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.cat([w[f"W_{k}"] for k in "rzn"]))
        module.weight_hh_l0.copy_(torch.cat([w[f"U_{k}"] for k in "rzn"]))
        module.bias_ih_l0.copy_(torch.cat([w[f"b_{k}"] for k in "rzn"]))
        module.bias_hh_l0.copy_(torch.cat([torch.zeros_like(w["b_r"])] * 2 + [w["q_n"]]))
        xs = torch.randn(6, 2, 3, dtype=torch.float64)
        ys, state = layer(xs)
        expected, h = module(xs)
    torch.testing.assert_close(ys, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state.h, h, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("elman", "tanh"), ("elman-orthogonal", "tanh"), ("elman-relu", "relu"), ("irnn", "relu")],
)
def test_elman_equals_pytorch(cell, kind):
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, 8).double()
    module = nn.RNN(3, 8, nonlinearity=kind, dtype=torch.float64)
    w = layer.weights()
    with torch.no_grad():
        w["b"].normal_()
        module.weight_ih_l0.copy_(w["W"])
        module.weight_hh_l0.copy_(w["U"])
        module.bias_ih_l0.copy_(w["b"])
        module.bias_hh_l0.zero_()
        xs = torch.randn(6, 2, 3, dtype=torch.float64)
        torch.testing.assert_close(layer(xs)[0], module(xs)[0], rtol=1e-10, atol=1e-12)
