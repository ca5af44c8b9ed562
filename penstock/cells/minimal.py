"""Gated cells with fewer gates or fewer products than the GRU."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["CFN", "JANET", "MGU", "RAN", "STAR", "UGRNN", "LiGRU"]


class MGU(Cell, name="mgu"):
    """Minimal gated unit: one gate resets and updates.

    Zhou, Wu, Zhang & Zhou 2016.

    Equations 13 to 15 of the paper; f is the share of the new memory.
    """

    equations = """
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)       # forget gate: share of the new memory
    n = tanh(W_n @ x + U_n @ (f * h[t-1]) + b_n)    # new memory
    h = (1 - f) * h[t-1] + f * n                    # hidden state
    """


class LiGRU(Cell, name="ligru"):
    """Light gated recurrent unit: no reset gate, rectified linear memory.

    Ravanelli, Brakel, Omologo & Bengio 2018.

    The paper batch-normalises W @ x and has no other bias; here there is a bias and no
    batch normalisation, as in torchrecurrent.
    """

    equations = """
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)    # update gate: share of the old state
    n = relu(W_n @ x + U_n @ h[t-1] + b_n)       # new memory
    h = z * h[t-1] + (1 - z) * n                 # hidden state
    """


class JANET(Cell, name="janet"):
    """Long short-term memory reduced to its forget gate.

    Van der Westhuizen & Lasenby 2018.

    The paper draws b_f by chrono initialisation, log of uniform(1, longest dependency - 1),
    which depends on the task; here it starts at 1.
    """

    equations = """
    beta = 1.0                                # how much more is written than forgotten
    s = W_f @ x + U_f @ h[t-1] + b_f          # forget gate before the sigmoid
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)    # new memory
    f = sigmoid(s)                            # forget gate: share of the old state
    i = 1 - sigmoid(s - beta)                 # share of the new memory
    h = f * h[t-1] + i * g                    # hidden state and cell in one
    """
    initial = {"b_f": 1.0, "b_g": 0.0}


class UGRNN(Cell, name="ugrnn"):
    """Update gate recurrent network: an Elman cell behind one gate.

    Collins, Sohl-Dickstein & Sussillo 2017.

    The gate's bias starts at 1, as in TensorFlow's ``UGRNNCell``; the paper tunes it.
    """

    equations = """
    g = sigmoid(W_g @ x + U_g @ h[t-1] + b_g)    # update gate: share of the old state
    n = tanh(W_n @ x + U_n @ h[t-1] + b_n)       # new memory
    h = g * h[t-1] + (1 - g) * n                 # hidden state
    """
    initial = {"b_g": 1.0}


class RAN(Cell, name="ran"):
    """Recurrent additive network: the cell is a weighted sum of past inputs.

    Lee, Levy & Zettlemoyer 2017.

    The new memory is linear in x alone. The paper also tries h = c.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)    # forget gate
    c = i * (W_c @ x) + f * c[t-1]               # cell
    h = tanh(c)                                  # hidden state
    """


class STAR(Cell, name="star"):
    """Stackable recurrent unit, made to keep gradients even through many layers.

    Turkoglu, D'Aronco, Wegner & Schindler 2021.

    The new memory z sees only the input.
    """

    equations = """
    z = tanh(W_z @ x + b_z)                      # new memory
    k = sigmoid(W_k @ x + U_k @ h[t-1] + b_k)    # gate: share of the new memory
    h = tanh((1 - k) * h[t-1] + k * z)           # hidden state
    """


class CFN(Cell, name="cfn"):
    """Chaos-free network: without input, the state can only decay.

    Laurent & von Brecht 2017.

    The biases start at 1 and -1, as in the paper's experiments.
    """

    equations = """
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)    # horizontal gate, theta: keeps the state
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)    # vertical gate, eta: admits the input
    h = f * tanh(h[t-1]) + i * tanh(W_h @ x)     # hidden state
    """
    initial = {"b_f": 1.0, "b_i": -1.0}
