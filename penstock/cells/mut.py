"""The three best cells of an evolutionary search over 10,000 gated cells.

In all three z is the share of the new memory.
"""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["MUT1", "MUT2", "MUT3"]


class MUT1(Cell, name="mut1"):
    """First mutation: the update gate sees only the input.

    Jozefowicz, Zaremba & Sutskever 2015.

    The paper's tanh(x) needs an input as wide as the state; here x passes through W_n
    first, as in torchrecurrent.
    """

    equations = """
    z = sigmoid(W_z @ x + b_z)                            # update gate: share of the new memory
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)             # reset gate
    n = tanh(U_n @ (r * h[t-1]) + tanh(W_n @ x) + b_n)    # new memory
    h = z * n + (1 - z) * h[t-1]                          # hidden state
    """


class MUT2(Cell, name="mut2"):
    """Second mutation: the input enters the reset gate directly.

    Jozefowicz, Zaremba & Sutskever 2015.

    The paper adds x itself to the reset gate, which needs an input as wide as the state;
    here x passes through W_r first, as in torchrecurrent. That makes the cell a ``gru``
    in form.
    """

    equations = """
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)       # update gate: share of the new memory
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)       # reset gate
    n = tanh(U_n @ (r * h[t-1]) + W_n @ x + b_n)    # new memory
    h = z * n + (1 - z) * h[t-1]                    # hidden state
    """
    initial = {"W_r": "identity"}


class MUT3(Cell, name="mut3"):
    """Third mutation: the update gate sees the state through tanh.

    Jozefowicz, Zaremba & Sutskever 2015.
    """

    equations = """
    z = sigmoid(W_z @ x + U_z @ tanh(h[t-1]) + b_z)    # update gate: share of the new memory
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)          # reset gate
    n = tanh(U_n @ (r * h[t-1]) + W_n @ x + b_n)       # new memory
    h = z * n + (1 - z) * h[t-1]                       # hidden state
    """
