"""Cells of the LSTM family against their papers' equations, written here a second time."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import layer_norm

from penstock.layers.recurrent import Recurrent
from tests.cells.by_hand import gate

sigmoid, tanh, relu = torch.sigmoid, torch.tanh, torch.relu


def lstm_coupled(w, x, s):
    i = sigmoid(gate(w, "i", x, s.h))
    c = (1 - i) * s.c + i * tanh(gate(w, "g", x, s.h))
    h = sigmoid(gate(w, "o", x, s.h)) * tanh(c)
    return h, {"h": h, "c": c}


def lstm_1997(w, x, s):
    """The cell with tanh for both squashing functions: g has half its weights, c is halved."""
    i = sigmoid(gate(w, "i", x, s.h))
    half = s.c / 2 + i * tanh(gate(w, "g", x, s.h) / 2)
    h = sigmoid(gate(w, "o", x, s.h)) * tanh(half)
    return h, {"h": h, "c": 2 * half}


def lstm_peephole(w, x, s):
    i = sigmoid(gate(w, "i", x, s.h) + w["p_i"] * s.c)
    f = sigmoid(gate(w, "f", x, s.h) + w["p_f"] * s.c)
    c = f * s.c + i * tanh(gate(w, "g", x, s.h))
    h = sigmoid(gate(w, "o", x, s.h) + w["p_o"] * c) * tanh(c)
    return h, {"h": h, "c": c}


def lstm_peephole_full(w, x, s):
    i = sigmoid(gate(w, "i", x, s.h) + s.c @ w["V_i"].T)
    f = sigmoid(gate(w, "f", x, s.h) + s.c @ w["V_f"].T)
    c = f * s.c + i * tanh(gate(w, "g", x, s.h))
    h = sigmoid(gate(w, "o", x, s.h) + c @ w["V_o"].T) * tanh(c)
    return h, {"h": h, "c": c}


def lstm_peephole_update(w, x, s):
    a = {k: gate(w, k, x, s.h) + s.c @ w[f"V_{k}"].T for k in "ifog"}
    c = sigmoid(a["f"]) * s.c + sigmoid(a["i"]) * tanh(a["g"])
    h = sigmoid(a["o"]) * tanh(c)
    return h, {"h": h, "c": c}


def wmc_lstm(w, x, s):
    i = sigmoid(gate(w, "i", x, s.h) + tanh(s.c @ w["V_i"].T))
    f = sigmoid(gate(w, "f", x, s.h) + tanh(s.c @ w["V_f"].T))
    c = f * s.c + i * tanh(gate(w, "g", x, s.h))
    h = sigmoid(gate(w, "o", x, s.h) + tanh(c @ w["V_o"].T)) * tanh(c)
    return h, {"h": h, "c": c}


def lstm_projection_peephole(w, x, s):
    i = sigmoid(gate(w, "i", x, s.h) + w["p_i"] * s.c)
    f = sigmoid(gate(w, "f", x, s.h) + w["p_f"] * s.c)
    c = f * s.c + i * tanh(gate(w, "g", x, s.h))
    m = sigmoid(gate(w, "o", x, s.h) + w["p_o"] * c) * tanh(c)
    r = m @ w["W_h"].T
    return r, {"h": r, "c": c}


def lstm_layernorm(w, x, s):
    def norm(v, gain):
        return layer_norm(v, v.shape[-1:], gain)

    a = {
        k: norm(x @ w[f"W_{k}"].T, w[f"w_{k}"])
        + norm(s.h @ w[f"U_{k}"].T, w[f"u_{k}"])
        + w[f"b_{k}"]
        for k in "ifog"
    }
    c = sigmoid(a["f"]) * s.c + sigmoid(a["i"]) * tanh(a["g"])
    h = sigmoid(a["o"]) * tanh(layer_norm(c, c.shape[-1:], w["w_c"], w["b_c"]))
    return h, {"h": h, "c": c}


def lstm_multiplicative(w, x, s):
    m = (x @ w["W_m"].T) * (s.h @ w["U_m"].T)
    i, f, o = (sigmoid(gate(w, k, x, m)) for k in "ifo")
    c = f * s.c + i * tanh(gate(w, "g", x, m))
    h = o * tanh(c)
    return h, {"h": h, "c": c}


def nas(w, x, s):
    """Figure 8 of Zoph & Le as the authors' NASCell computes it."""
    names = "abdepqrs"
    inputs = [x @ w[f"W_{k}"].T for k in names]
    recurrent = [s.h @ w[f"U_{k}"].T for k in names]
    total = [a + b for a, b in zip(inputs, recurrent, strict=True)]
    layer1 = [
        sigmoid(total[0]),
        relu(total[1]),
        sigmoid(total[2]),
        relu(inputs[3] * recurrent[3]),
        tanh(total[4]),
        sigmoid(total[5]),
        tanh(total[6]),
        sigmoid(total[7]),
    ]
    l2_0 = tanh(layer1[0] * layer1[1])
    l2_1 = tanh(layer1[2] + layer1[3])
    l2_2 = tanh(layer1[4] * layer1[5])
    l2_3 = sigmoid(layer1[6] + layer1[7])
    new_c = tanh(l2_0 + s.c) * l2_1
    new_m = tanh(new_c * tanh(l2_2 + l2_3))
    return new_m, {"h": new_m, "c": new_c}


PAPERS = {
    "lstm-1997": lstm_1997,
    "lstm-coupled": lstm_coupled,
    "lstm-peephole": lstm_peephole,
    "lstm-peephole-full": lstm_peephole_full,
    "lstm-peephole-update": lstm_peephole_update,
    "wmc-lstm": wmc_lstm,
    "lstm-projection-peephole": lstm_projection_peephole,
    "lstm-layernorm": lstm_layernorm,
    "lstm-multiplicative": lstm_multiplicative,
    "nas": nas,
}


@pytest.mark.parametrize("cell", PAPERS)
def test_cell_computes_what_its_paper_writes(cell, follows):
    follows(cell, PAPERS[cell])


@pytest.mark.parametrize(
    ("cell", "proj_size"), [("lstm", 0), ("lstm-forget-bias", 0), ("lstm-projection", 4)]
)
def test_lstm_equals_pytorch(cell, proj_size):
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, 8).double()
    module = nn.LSTM(3, 8, proj_size=proj_size, dtype=torch.float64)
    w = layer.weights()
    order = "ifgo"
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.cat([w[f"W_{k}"] for k in order]))
        module.weight_hh_l0.copy_(torch.cat([w[f"U_{k}"] for k in order]))
        module.bias_ih_l0.copy_(torch.cat([w[f"b_{k}"] for k in order]))
        module.bias_hh_l0.zero_()
        if proj_size:
            module.weight_hr_l0.copy_(w["W_h"])
        xs = torch.randn(6, 2, 3, dtype=torch.float64)
        ys, state = layer(xs)
        expected, (h, c) = module(xs)
    torch.testing.assert_close(ys, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state.h, h, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state.c, c, rtol=1e-10, atol=1e-12)
