"""Long short-term memory, from 1997 to its common forms.

Peepholes are in ``peephole``, projections and normalised or multiplicative forms in
``lstm_variants``.
"""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["LSTM", "LSTM1997", "LSTMCoupled", "LSTMForgetBias"]


class LSTM(Cell, name="lstm"):
    """Long short-term memory with a forget gate.

    Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000.

    PyTorch's ``nn.LSTM`` is this cell with two biases per gate, of which only the sum
    matters. Keras starts the forget bias at 1, as ``lstm-forget-bias`` does.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)    # forget gate
    o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)    # output gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)       # new memory
    c = f * c[t-1] + i * g                       # cell
    h = o * tanh(c)                              # hidden state
    """


class LSTMForgetBias(Cell, name="lstm-forget-bias"):
    """Long short-term memory that starts by remembering.

    Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015.

    The forget bias starts at 1, so that gradients reach far back from the first step.
    """

    equations = LSTM.equations
    initial = {"b_f": 1.0}


class LSTM1997(Cell, name="lstm-1997"):
    """The first long short-term memory, without a forget gate.

    Hochreiter & Schmidhuber 1997.

    The squashing functions are the paper's: new memory in (-2, 2), cell output in (-1, 1).
    With both written as tanh, as torchrecurrent does, the cell computes the same with half
    the weights of g and half the cell. The paper also cuts the gradient at the gates'
    inputs; here the gradient is exact.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)            # input gate
    o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)            # output gate
    g = 4 * sigmoid(W_g @ x + U_g @ h[t-1] + b_g) - 2    # new memory
    c = c[t-1] + i * g                                   # cell
    h = o * (2 * sigmoid(c) - 1)                         # hidden state
    """


class LSTMCoupled(Cell, name="lstm-coupled"):
    """Long short-term memory that forgets exactly as much as it writes.

    Greff, Srivastava, Koutnik, Steunebrink & Schmidhuber 2015.

    Lecture 003: f = 1 - i. Greff et al. couple the gates of a cell with peepholes; here
    there are none, as in the lecture.
    """

    equations = """
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)    # input gate
    f = 1 - i                                    # forget gate
    o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)    # output gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)       # new memory
    c = f * c[t-1] + i * g                       # cell
    h = o * tanh(c)                              # hidden state
    """
