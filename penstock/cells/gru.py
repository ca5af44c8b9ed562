"""Gated recurrent units: the four forms in use.

They differ in which share the update gate z stands for, and in whether the reset gate r
acts before or after the product with U.
"""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["GRU", "GRUCho", "GRUPyTorch", "GRUResetAfter"]


class GRU(Cell, name="gru"):
    """Gated recurrent unit; z is the share of the new memory.

    Cho et al. 2014; Chung, Gulcehre, Cho & Bengio 2014.

    Lectures 003 and 004: reset before the product. PyTorch and Keras let z be the share of
    the old state and reset after the product (``gru-pytorch``).
    """

    equations = """
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)       # reset gate
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)       # update gate: share of the new memory
    n = tanh(W_n @ x + U_n @ (r * h[t-1]) + b_n)    # new memory
    h = (1 - z) * h[t-1] + z * n                    # hidden state
    """


class GRUCho(Cell, name="gru-cho"):
    """Gated recurrent unit as first published; z is the share of the old state.

    Cho et al. 2014.

    Equations 5 to 8 of the paper, which leaves out biases. Keras' ``GRU`` with
    ``reset_after=False`` is this cell.
    """

    equations = """
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)       # reset gate
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)       # update gate: share of the old state
    n = tanh(W_n @ x + U_n @ (r * h[t-1]) + b_n)    # new memory
    h = z * h[t-1] + (1 - z) * n                    # hidden state
    """


class GRUResetAfter(Cell, name="gru-reset-after"):
    """Gated recurrent unit with the reset after the product, without biases.

    Cho et al. 2014.

    Lecture 002, section 3: z is the share of the old state, and the reset gate scales
    U h[t-1] rather than h[t-1], so that one product per step serves all gates.
    """

    equations = """
    z = sigmoid(W_z @ x + U_z @ h[t-1])      # update gate: share of the old state
    r = sigmoid(W_r @ x + U_r @ h[t-1])      # reset gate
    n = tanh(r * (U_n @ h[t-1]) + W_n @ x)   # new memory
    h = (1 - z) * n + z * h[t-1]             # hidden state
    """


class GRUPyTorch(Cell, name="gru-pytorch"):
    """Gated recurrent unit of PyTorch and cuDNN.

    Cho et al. 2014; Chetlur et al. 2014.

    z is the share of the old state, the reset acts after the product, and the new memory
    has a second bias q_n inside the reset. The two biases that PyTorch gives r and z are
    one here. Keras' ``GRU`` (``reset_after=True``) computes the same.
    """

    equations = """
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)               # reset gate
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)               # update gate: share of the old state
    n = tanh(W_n @ x + b_n + r * (U_n @ h[t-1] + q_n))      # new memory
    h = (1 - z) * n + z * h[t-1]                            # hidden state
    """
