"""Cells without a product on the state: everything but an element-wise recurrence is parallel."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["QRNN", "SRU", "IndRNN", "MinGRU", "MinLSTM"]


class IndRNN(Cell, name="indrnn"):
    """Independently recurrent network: each unit sees only itself.

    Li, Li, Cook, Zhu & Gao 2018.

    The paper holds u within a bound that depends on the length of the sequences
    (|u| <= 2^(1/T) for ReLU); clip it in training if needed. torchrecurrent defaults to tanh.
    """

    equations = """
    h = relu(W @ x + u * h[t-1] + b)    # hidden state
    """
    initial = {"u": ("uniform", 0.0, 1.0)}


class SRU(Cell, name="sru"):
    """Simple recurrent unit with a highway connection past it.

    Lei, Zhang, Wang, Dai & Artzi 2018.

    The paper adds x itself to the output, which needs an input as wide as the state; here
    x passes through W_h, as in the authors' code when the sizes differ. The paper also
    scales that term by a constant.
    """

    equations = """
    f = sigmoid(W_f @ x + v_f * c[t-1] + b_f)    # forget gate: share of the old cell
    r = sigmoid(W_r @ x + v_r * c[t-1] + b_r)    # reset gate: share of the cell in the output
    c = f * c[t-1] + (1 - f) * (W_c @ x)         # cell
    h = r * c + (1 - r) * (W_h @ x)              # hidden state
    """


class QRNN(Cell, name="qrnn"):
    """Quasi-recurrent network: convolutions of width 2 and fo-pooling.

    Bradbury, Merity, Xiong & Socher 2017.

    V weighs the input before. The paper writes no biases, its released code has them.
    """

    equations = """
    z = tanh(V_z @ x[t-1] + W_z @ x + b_z)       # new memory
    f = sigmoid(V_f @ x[t-1] + W_f @ x + b_f)    # forget gate: share of the old cell
    o = sigmoid(V_o @ x[t-1] + W_o @ x + b_o)    # output gate
    c = f * c[t-1] + (1 - f) * z                 # cell
    h = o * c                                    # hidden state
    """


class MinGRU(Cell, name="mingru"):
    """GRU whose gate and memory see only the input.

    Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024.

    The linear form of the paper's section 3.1. Its log-space form, used by most ports,
    passes the new memory through a positive function.
    """

    equations = """
    z = sigmoid(W_z @ x + b_z)      # update gate: share of the new memory
    n = W_n @ x + b_n               # new memory
    h = (1 - z) * h[t-1] + z * n    # hidden state
    """


class MinLSTM(Cell, name="minlstm"):
    """LSTM whose gates see only the input and always sum to one.

    Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024.

    The linear form of the paper's section 3.2: no cell beside the state, no output gate.
    """

    equations = """
    f = sigmoid(W_f @ x + b_f)                  # forget gate
    i = sigmoid(W_i @ x + b_i)                  # input gate
    n = W_n @ x + b_n                           # new memory
    h = (f * h[t-1] + i * n) / (f + i)          # hidden state
    """
