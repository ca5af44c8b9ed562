"""A simple recurrent network with a slow context beside its hidden state."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["SCRN"]


class SCRN(Cell, name="scrn"):
    """Structurally constrained recurrent network: some units change slowly.

    Mikolov, Joulin, Chopra, Mathieu & Ranzato 2015.

    P context units keep a running average of the input, with a fixed rate alpha. The output
    y joins hidden and context units before the softmax. torchrecurrent passes y through tanh
    and feeds it back in place of h.
    """

    equations = """
    s: P
    alpha = 0.95                                       # share of the old context kept
    s = (1 - alpha) * (W_s @ x) + alpha * s[t-1]       # context
    h = sigmoid(V_h @ s + W_h @ x + U_h @ h[t-1])      # hidden state
    y = U_y @ h + V_y @ s                              # output
    return y
    """
    sizes = {"P": 0.4}
