"""Simple recurrent networks, and the linear update that leads from them to gates."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = [
    "IRNN",
    "Elman",
    "ElmanOrthogonal",
    "ElmanReLU",
    "ElmanSigmoid",
    "GatedUpdate",
    "LinearUpdate",
]


class Elman(Cell, name="elman"):
    """Simple recurrent network with tanh.

    Elman 1990.

    Elman's own units are logistic (see ``elman-sigmoid``). PyTorch's ``nn.RNN`` is this
    cell with two biases, which only ever appear as their sum.
    """

    equations = """
    h = tanh(W @ x + U @ h[t-1] + b)    # hidden state
    """


class ElmanSigmoid(Cell, name="elman-sigmoid"):
    """Simple recurrent network with logistic units.

    Elman 1990; Mikolov et al. 2010.

    Equation 5 of lecture 002, which has no bias. Keras' ``SimpleRNN`` adds one.
    """

    equations = """
    h = sigmoid(U @ h[t-1] + W @ x)    # hidden state
    """


class ElmanReLU(Cell, name="elman-relu"):
    """Simple recurrent network with rectified linear units.

    Le, Jaitly & Hinton 2015.

    The same as ``nn.RNN(nonlinearity="relu")``; ``irnn`` is this cell with its own start.
    """

    equations = """
    h = relu(W @ x + U @ h[t-1] + b)    # hidden state
    """


class IRNN(Cell, name="irnn"):
    """Rectified linear network that starts by copying its state.

    Le, Jaitly & Hinton 2015.

    The recurrent matrix starts as the identity and the bias at zero, so that the gradient
    passes unchanged through every active unit. The paper draws W from a Gaussian of
    standard deviation 0.001; this uniform start has the same deviation.
    """

    equations = """
    h = relu(W @ x + U @ h[t-1] + b)    # hidden state
    """
    initial = {"U": "identity", "b": 0.0, "W": ("uniform", -0.00173, 0.00173)}


class ElmanOrthogonal(Cell, name="elman-orthogonal"):
    """Simple recurrent network with tanh and an orthogonal start.

    Saxe, McClelland & Ganguli 2014; Henaff, Szlam & LeCun 2016.

    Lecture 003: an orthogonal U keeps the length of the gradient as long as W @ x is small
    enough for tanh to be nearly linear.
    """

    equations = """
    h = tanh(W @ x + U @ h[t-1] + b)    # hidden state
    """
    initial = {"U": "orthogonal", "b": 0.0}


class LinearUpdate(Cell, name="linear-update"):
    """The naive linear update: every step adds to the state.

    Lecture 004.

    No activation stands between one state and the next, so gradients do not vanish; but
    nothing is ever erased, and the state can grow by one in every step.
    """

    equations = """
    g = tanh(W @ x + U @ h[t-1] + b)    # proposed update
    h = h[t-1] + g                      # hidden state
    """


class GatedUpdate(Cell, name="gated-update"):
    """The linear update repaired by controlled reading, writing and forgetting.

    Lecture 004; Gers, Schmidhuber & Cummins 2000.

    Each of the lecture's three design goals is one gate. The GRU is this cell with
    ``i = 1 - f``, the LSTM reads through its output gate instead.
    """

    equations = """
    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)         # read gate: what the update sees
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)         # write gate: share of the update kept
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)         # forget gate: share of the old state kept
    g = tanh(W_g @ x + U_g @ (r * h[t-1]) + b_g)      # proposed update
    h = f * h[t-1] + i * g                            # hidden state
    """
