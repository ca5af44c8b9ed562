"""Small cells for small devices: scalar gates, shared and low-rank weights."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["FastGRNN", "FastGRNNLowRank", "FastRNN"]


class FastRNN(Cell, name="fastrnn"):
    """An Elman cell with a residual connection of two scalar weights.

    Kusupati et al. 2018.

    The scalars pass through a sigmoid, as in the authors' EdgeML, so that they stay in
    (0, 1); they start at about 0.05 and 0.95.
    """

    equations = """
    alpha: scalar = -3.0
    beta: scalar = 3.0
    n = tanh(W @ x + U @ h[t-1] + b)                   # new memory
    h = sigmoid(alpha) * n + sigmoid(beta) * h[t-1]    # hidden state
    """


class FastGRNN(Cell, name="fastgrnn"):
    """A gated cell whose gate and memory share both matrices.

    Kusupati et al. 2018.

    zeta and nu pass through a sigmoid and start at about 0.73 and 0.02, as in the authors'
    EdgeML, where both biases start at 1.
    """

    equations = """
    zeta: scalar = 1.0
    nu: scalar = -4.0
    a = W @ x + U @ h[t-1]                                             # shared pre-activation
    z = sigmoid(a + b_z)                                               # update gate
    n = tanh(a + b_n)                                                  # new memory
    h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * n + z * h[t-1]       # hidden state
    """
    initial = {"b_z": 1.0, "b_n": 1.0}


class FastGRNNLowRank(Cell, name="fastgrnn-low-rank"):
    """FastGRNN with both matrices of low rank R.

    Kusupati et al. 2018.

    W = W_1 W_2 and U = U_1 U_2, applied one after the other.
    """

    equations = """
    zeta: scalar = 1.0
    nu: scalar = -4.0
    W_1: (H, R)
    U_1: (H, R)
    a = W_1 @ (W_2 @ x) + U_1 @ (U_2 @ h[t-1])                         # shared pre-activation
    z = sigmoid(a + b_z)                                               # update gate
    n = tanh(a + b_n)                                                  # new memory
    h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * n + z * h[t-1]       # hidden state
    """
    initial = FastGRNN.initial
    sizes = {"R": 0.25}
