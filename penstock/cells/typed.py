"""Strongly typed cells: states are only ever averaged, never multiplied by a matrix.

The gates see the present and the previous input, so only element-wise work depends on the
step before.
"""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["TGRU", "TLSTM", "TRNN"]


class TRNN(Cell, name="t-rnn"):
    """Strongly typed recurrent network.

    Balduzzi & Ghifary 2016.
    """

    equations = """
    z = W_z @ x                     # new memory
    f = sigmoid(W_f @ x + b_f)      # forget gate: share of the old state
    h = f * h[t-1] + (1 - f) * z    # hidden state
    """


class TGRU(Cell, name="t-gru"):
    """Strongly typed gated recurrent unit.

    Balduzzi & Ghifary 2016.
    """

    equations = """
    z = V_z @ x[t-1] + W_z @ x + b_z             # new memory
    f = sigmoid(V_f @ x[t-1] + W_f @ x + b_f)    # forget gate
    o = tanh(V_o @ x[t-1] + W_o @ x + b_o)       # motor: what is written of the memory
    h = f * h[t-1] + z * o                       # hidden state
    """


class TLSTM(Cell, name="t-lstm"):
    """Strongly typed long short-term memory.

    Balduzzi & Ghifary 2016.
    """

    equations = """
    z = V_z @ x[t-1] + W_z @ x + b_z             # new memory
    f = sigmoid(V_f @ x[t-1] + W_f @ x + b_f)    # forget gate: share of the old cell
    o = tanh(V_o @ x[t-1] + W_o @ x + b_o)       # motor: what is shown of the cell
    c = f * c[t-1] + (1 - f) * z                 # cell
    h = c * o                                    # hidden state
    """
