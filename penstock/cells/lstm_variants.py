"""Long short-term memory with a projection, with normalisation, with a multiplicative state."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["LSTMLayerNorm", "LSTMMultiplicative", "LSTMProjection", "LSTMProjectionPeephole"]


class LSTMProjection(Cell, name="lstm-projection"):
    """Long short-term memory with a recurrent projection.

    Sak, Senior & Beaufays 2014.

    The state fed back and passed on has P units, fewer than the cell's H. The same as
    ``nn.LSTM(proj_size=P)``; the paper's own cell also has peepholes
    (``lstm-projection-peephole``).
    """

    equations = """
    h: P
    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)    # forget gate
    o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)    # output gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)       # new memory
    c = f * c[t-1] + i * g                       # cell
    m = o * tanh(c)                              # cell output
    h = W_h @ m                                  # recurrent projection
    """
    sizes = {"P": 0.5}


class LSTMProjectionPeephole(Cell, name="lstm-projection-peephole"):
    """Long short-term memory with peepholes and a recurrent projection.

    Sak, Senior & Beaufays 2014.

    Equations 7 to 12 of the paper, without its optional second projection, which does not
    recur and is an output layer.
    """

    equations = """
    h: P
    i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)    # input gate
    f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)    # forget gate
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)                      # new memory
    c = f * c[t-1] + i * g                                      # cell
    o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)         # output gate
    m = o * tanh(c)                                             # cell output
    h = W_h @ m                                                 # recurrent projection
    """
    sizes = {"P": 0.5}


class LSTMLayerNorm(Cell, name="lstm-layernorm"):
    """Long short-term memory with layer normalisation.

    Ba, Kiros & Hinton 2016.

    Each product and the cell are normalised, with gains w (input), u (recurrent) and w_c.
    The paper takes mean and variance over the four pre-activations together, here each
    gate has its own, as in TensorFlow's ``LayerNormBasicLSTMCell`` (which normalises the
    sum of the two products). The paper's two shifts and the bias are one bias here.
    """

    equations = """
    i = sigmoid(w_i * layernorm(W_i @ x) + u_i * layernorm(U_i @ h[t-1]) + b_i)  # input gate
    f = sigmoid(w_f * layernorm(W_f @ x) + u_f * layernorm(U_f @ h[t-1]) + b_f)  # forget gate
    o = sigmoid(w_o * layernorm(W_o @ x) + u_o * layernorm(U_o @ h[t-1]) + b_o)  # output gate
    g = tanh(w_g * layernorm(W_g @ x) + u_g * layernorm(U_g @ h[t-1]) + b_g)     # new memory
    c = f * c[t-1] + i * g                                                       # cell
    h = o * tanh(w_c * layernorm(c) + b_c)                                       # hidden state
    """
    initial = {
        **dict.fromkeys(("w_i", "w_f", "w_o", "w_g", "u_i", "u_f", "u_o", "u_g", "w_c"), 1.0),
        **dict.fromkeys(("b_i", "b_f", "b_o", "b_g", "b_c"), 0.0),
    }


class LSTMMultiplicative(Cell, name="lstm-multiplicative"):
    """Long short-term memory whose transition depends on the input.

    Krause, Lu, Murray & Renals 2016.

    The gates see an intermediate state m in place of h[t-1], so that each input symbol
    has a recurrent matrix of its own. The paper writes no biases.
    """

    equations = """
    m = (W_m @ x) * (U_m @ h[t-1])           # intermediate state
    i = sigmoid(W_i @ x + U_i @ m + b_i)     # input gate
    f = sigmoid(W_f @ x + U_f @ m + b_f)     # forget gate
    o = sigmoid(W_o @ x + U_o @ m + b_o)     # output gate
    g = tanh(W_g @ x + U_g @ m + b_g)        # new memory
    c = f * c[t-1] + i * g                   # cell
    h = o * tanh(c)                          # hidden state
    """
