"""Long short-term memory whose gates see the cell."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["WMCLSTM", "LSTMPeephole", "LSTMPeepholeFull", "LSTMPeepholeUpdate"]


class LSTMPeephole(Cell, name="lstm-peephole"):
    """Long short-term memory with diagonal peepholes.

    Gers, Schraudolph & Schmidhuber 2002.

    The input and forget gates see the old cell, the output gate the new one. Graves 2013
    and TensorFlow use the same three vectors; some libraries let all gates see the old cell.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)    # forget gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)                      # new memory
    c = f * c[t-1] + i * g                                      # cell
    o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)         # output gate
    h = o * tanh(c)                                             # hidden state
    """


class LSTMPeepholeFull(Cell, name="lstm-peephole-full"):
    """Long short-term memory with full-matrix peepholes.

    Greff, Srivastava, Koutnik, Steunebrink & Schmidhuber 2015.

    Lecture 003 writes the peepholes as matrices V; Greff et al. keep them diagonal.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + V_i @ c[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + V_f @ c[t-1] + b_f)    # forget gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)                      # new memory
    c = f * c[t-1] + i * g                                      # cell
    o = sigmoid(W_o @ x + U_o @ h[t-1] + V_o @ c + b_o)         # output gate
    h = o * tanh(c)                                             # hidden state
    """


class LSTMPeepholeUpdate(Cell, name="lstm-peephole-update"):
    """Long short-term memory in which everything sees the old cell.

    Lecture 004.

    The lecture's reading of peepholes: the proposed update and all three gates depend on
    both the old hidden state and the old cell, through full matrices.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + V_i @ c[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + V_f @ c[t-1] + b_f)    # forget gate
    o = sigmoid(W_o @ x + U_o @ h[t-1] + V_o @ c[t-1] + b_o)    # output gate
    g = tanh(W_g @ x + U_g @ h[t-1] + V_g @ c[t-1] + b_g)       # new memory
    c = f * c[t-1] + i * g                                      # cell
    h = o * tanh(c)                                             # hidden state
    """


class WMCLSTM(Cell, name="wmc-lstm"):
    """Long short-term memory with working memory connections.

    Landi, Baraldi, Cornia & Cucchiara 2021.

    The gates see the cell through a full matrix and tanh, which keeps a large cell from
    saturating them. torchrecurrent gives the projections a bias of their own inside tanh.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + tanh(V_i @ c[t-1]) + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + tanh(V_f @ c[t-1]) + b_f)    # forget gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)                            # new memory
    c = f * c[t-1] + i * g                                            # cell
    o = sigmoid(W_o @ x + U_o @ h[t-1] + tanh(V_o @ c) + b_o)         # output gate
    h = o * tanh(c)                                                   # hidden state
    """
