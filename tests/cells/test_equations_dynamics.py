"""Small, parallel, strongly typed and differential cells against their papers' equations."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv1d

from penstock.layers.recurrent import Recurrent
from tests.cells.by_hand import gate, only_h

sigmoid, tanh, relu = torch.sigmoid, torch.tanh, torch.relu


def typed(w, name, x, s):
    """V x[t-1] + W x + b of the strongly typed cells."""
    return s.x @ w[f"V_{name}"].T + x @ w[f"W_{name}"].T + w[f"b_{name}"]


def fastrnn(w, x, s):
    new = tanh(x @ w["W"].T + s.h @ w["U"].T + w["b"])
    return only_h(sigmoid(w["alpha"]) * new + sigmoid(w["beta"]) * s.h)


def fastgrnn(w, x, s):
    shared = x @ w["W"].T + s.h @ w["U"].T
    z, new = sigmoid(shared + w["b_z"]), tanh(shared + w["b_n"])
    return only_h((sigmoid(w["zeta"]) * (1 - z) + sigmoid(w["nu"])) * new + z * s.h)


def fastgrnn_low_rank(w, x, s):
    return fastgrnn(w | {"W": w["W_1"] @ w["W_2"], "U": w["U_1"] @ w["U_2"]}, x, s)


def scrn(w, x, s):
    context = 0.05 * (x @ w["W_s"].T) + 0.95 * s.s
    h = sigmoid(context @ w["V_h"].T + x @ w["W_h"].T + s.h @ w["U_h"].T)
    return h @ w["U_y"].T + context @ w["V_y"].T, {"s": context, "h": h}


def indrnn(w, x, s):
    return only_h(relu(x @ w["W"].T + w["u"] * s.h + w["b"]))


def sru(w, x, s):
    f = sigmoid(x @ w["W_f"].T + w["v_f"] * s.c + w["b_f"])
    r = sigmoid(x @ w["W_r"].T + w["v_r"] * s.c + w["b_r"])
    c = f * s.c + (1 - f) * (x @ w["W_c"].T)
    return r * c + (1 - r) * (x @ w["W_h"].T), {"c": c}


def minlstm(w, x, s):
    f, i = (sigmoid(x @ w[f"W_{k}"].T + w[f"b_{k}"]) for k in "fi")
    return only_h(f / (f + i) * s.h + i / (f + i) * (x @ w["W_n"].T + w["b_n"]))


def t_rnn(w, x, s):
    f = sigmoid(x @ w["W_f"].T + w["b_f"])
    return only_h(f * s.h + (1 - f) * (x @ w["W_z"].T))


def t_gru(w, x, s):
    h = sigmoid(typed(w, "f", x, s)) * s.h + typed(w, "z", x, s) * tanh(typed(w, "o", x, s))
    return h, {"h": h, "x": x}


def t_lstm(w, x, s):
    f = sigmoid(typed(w, "f", x, s))
    c = f * s.c + (1 - f) * typed(w, "z", x, s)
    return c * tanh(typed(w, "o", x, s)), {"c": c, "x": x}


def antisymmetric(w, x, s):
    matrix = w["U"] - w["U"].T - 0.01 * torch.eye(len(w["U"]), dtype=w["U"].dtype)
    return only_h(s.h + 0.1 * tanh(s.h @ matrix.T + x @ w["W"].T + w["b"]))


def antisymmetric_gated(w, x, s):
    matrix = w["U"] - w["U"].T - 0.01 * torch.eye(len(w["U"]), dtype=w["U"].dtype)
    z, g = (s.h @ matrix.T + x @ w[f"W_{k}"].T + w[f"b_{k}"] for k in "zg")
    return only_h(s.h + 0.1 * sigmoid(z) * tanh(g))


def cornn(w, x, s):
    force = tanh(s.h @ w["U"].T + s.v @ w["V"].T + x @ w["W"].T + w["b"])
    v = s.v + 0.042 * force - 0.042 * 2.7 * s.h - 0.042 * 4.7 * s.v
    h = s.h + 0.042 * v
    return h, {"h": h, "v": v}


def lem(w, x, s):
    p, q = sigmoid(gate(w, "p", x, s.h)), sigmoid(gate(w, "q", x, s.h))
    z = (1 - p) * s.z + p * tanh(gate(w, "z", x, s.h))
    h = (1 - q) * s.h + q * tanh(z @ w["V_h"].T + x @ w["W_h"].T + w["b_h"])
    return h, {"h": h, "z": z}


def taugru(w, x, s):
    u, delayed = tanh(gate(w, "u", x, s.h)), tanh(gate(w, "d", x, s.h_5))
    a, g = sigmoid(gate(w, "a", x, s.h)), sigmoid(gate(w, "z", x, s.h))
    h = (1 - g) * s.h + g * (u + a * delayed)
    return h, {"h": h, "h_2": s.h, "h_3": s.h_2, "h_4": s.h_3, "h_5": s.h_4}


PAPERS = {
    "fastrnn": fastrnn,
    "fastgrnn": fastgrnn,
    "fastgrnn-low-rank": fastgrnn_low_rank,
    "scrn": scrn,
    "indrnn": indrnn,
    "sru": sru,
    "minlstm": minlstm,
    "t-rnn": t_rnn,
    "t-gru": t_gru,
    "t-lstm": t_lstm,
    "antisymmetric": antisymmetric,
    "antisymmetric-gated": antisymmetric_gated,
    "cornn": cornn,
    "lem": lem,
    "taugru": taugru,
}


@pytest.mark.parametrize("cell", PAPERS)
def test_cell_computes_what_its_paper_writes(cell, follows):
    follows(cell, PAPERS[cell])


def test_qrnn_is_a_convolution_and_a_pooling():
    torch.manual_seed(3)
    layer = Recurrent("qrnn", 3, 8).double()
    w = layer.weights()
    xs = torch.randn(6, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        ys, _ = layer(xs)
        padded = torch.cat([torch.zeros(1, 2, 3, dtype=torch.float64), xs]).permute(1, 2, 0)
        z, f, o = (
            conv1d(padded, torch.stack([w[f"V_{k}"], w[f"W_{k}"]], -1), w[f"b_{k}"]) for k in "zfo"
        )
        c, expected = torch.zeros(2, 8, dtype=torch.float64), []
        for t in range(6):
            share = sigmoid(f[..., t])
            c = share * c + (1 - share) * tanh(z[..., t])
            expected.append(sigmoid(o[..., t]) * c)
    torch.testing.assert_close(ys, torch.stack(expected), rtol=1e-10, atol=1e-12)


def test_mingru_is_a_weighted_sum_of_its_inputs():
    torch.manual_seed(4)
    layer = Recurrent("mingru", 3, 8).double()
    w = layer.weights()
    xs = torch.randn(6, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        ys, _ = layer(xs)
        z = sigmoid(xs @ w["W_z"].T + w["b_z"])
        keep = torch.cumprod(1 - z, 0)
        expected = keep * torch.cumsum(z * (xs @ w["W_n"].T + w["b_n"]) / keep, 0)
    torch.testing.assert_close(ys, expected, rtol=1e-10, atol=1e-12)
