"""A cell found by architecture search."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["NAS"]


class NAS(Cell, name="nas"):
    """The recurrent cell found by neural architecture search.

    Zoph & Le 2017.

    Eight products in a tree: combined in pairs, then the cell joins the first pair. Fourth
    product: element-wise product of input and state, not their sum. As the authors'
    TensorFlow ``NASCell``, which has no bias unless asked; RecurrentLayers.jl adds one to
    the recurrent product.
    """

    equations = """
    a = sigmoid(W_a @ x + U_a @ h[t-1])     # leaf 1
    b = relu(W_b @ x + U_b @ h[t-1])        # leaf 2
    d = sigmoid(W_d @ x + U_d @ h[t-1])     # leaf 3
    e = relu((W_e @ x) * (U_e @ h[t-1]))    # leaf 4: multiplied, not added
    p = tanh(W_p @ x + U_p @ h[t-1])        # leaf 5
    q = sigmoid(W_q @ x + U_q @ h[t-1])     # leaf 6
    r = tanh(W_r @ x + U_r @ h[t-1])        # leaf 7
    s = sigmoid(W_s @ x + U_s @ h[t-1])     # leaf 8
    m = tanh(tanh(a * b) + c[t-1])          # pair 1, joined by the old cell
    c = m * tanh(d + e)                     # cell: pair 1 times pair 2
    n = tanh(tanh(p * q) + sigmoid(r + s))  # pairs 3 and 4
    h = tanh(c * n)                         # hidden state
    """
