"""Gated-feedback stacks: every layer hears every layer's previous state, through global gates.

Chung, Gulcehre, Cho & Bengio 2015; lecture 000, equation 12.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock.equations import parse
from penstock.errors import ConfigError
from penstock.layers.recurrent import Recurrent
from penstock.registry import Registry

__all__ = ["feedback_equations", "gated_feedback"]

Line = tuple[str, str]
"""An equation and what it computes."""


def gated_feedback(
    unit: str,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    batch_first: bool = False,
    learn_state: bool = False,
    engine: str = "auto",
) -> Recurrent:
    """A gated-feedback stack as one recurrent layer, whose output is the top layer's h.

    Args:
        unit: "tanh", "gru" or "lstm".
        input_size: width of the input, D >= 1.
        hidden_size: H >= 1 of every layer.
        num_layers: L >= 1.
        batch_first: see :class:`~penstock.layers.recurrent.Recurrent`, as all that follow.
        learn_state: whether the state before the first step is a parameter.
        engine: "auto", or an engine by name.

    Example:
        >>> import torch
        >>> layer = gated_feedback("lstm", 3, 5, 2)
        >>> ys, state, (trace,) = layer(torch.zeros(7, 4, 3), trace=True)
        >>> sorted(state._fields), tuple(trace["g_2_1"].shape)
        (['c_1', 'c_2', 'h_1', 'h_2'], (7, 4, 1))
    """
    program = parse(feedback_equations(unit, num_layers), f"gated-feedback-{unit}")
    return Recurrent(
        program,
        input_size,
        hidden_size,
        batch_first=batch_first,
        learn_state=learn_state,
        engine=engine,
    )


def feedback_equations(unit: str, num_layers: int) -> str:
    """Equations of a gated-feedback stack.

    Gate ``g_i_j`` scales what layer i's previous state says to layer j. In GRU and LSTM it
    acts on the new memory alone: their own gates see their own layer's previous state. The
    GRU resets after the product, as in the paper; the paper leaves out the biases b.  What one
    layer says to another starts at 0, so that training begins as with a plain stack: it is quicker
    so, and steadier.

    Args:
        unit: "tanh", "gru" or "lstm".
        num_layers: L >= 1.

    Raises:
        ConfigError: there is no such unit, or no layer.

    Example:
        >>> print(feedback_equations("tanh", 1))
        g_1_1 = sigmoid(sum(w_1_1 * x) + sum(u_1_1_1 * h_1[t-1]))    # global gate 1 to 1
        h_1 = tanh(W_1 @ x + g_1_1 * (U_1_1 @ h_1[t-1]) + b_1)       # hidden state 1
        return h_1
    """
    equations = _UNITS[unit]
    if isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1:
        raise ConfigError(f"gated feedback: expected num_layers >= 1, got {num_layers=!r}.")
    layers = range(1, num_layers + 1)
    lines: list[Line] = []
    for j in layers:
        below = f"h_{j - 1}" if j > 1 else "x"
        lines += [_global_gate(i, j, below, layers) for i in layers]
        lines += [(f"U_{i}_{j}: (H, H) = 0.0", "begins unheard") for i in layers if i != j]
        feedback = " + ".join(f"g_{i}_{j} * (U_{i}_{j} @ h_{i}[t-1])" for i in layers)
        lines += equations(j, below, feedback)
    width = max(len(equation) for equation, _ in lines) + 4
    text = [f"{equation:{width}}# {comment}" for equation, comment in lines]
    return "\n".join([*text, f"return h_{num_layers}"])


def _global_gate(i: int, j: int, below: str, layers: range) -> Line:
    """Equation 12: one number from the layer below and all layers' previous states."""
    products = [f"sum(w_{i}_{j} * {below})"]
    products += [f"sum(u_{i}_{j}_{k} * h_{k}[t-1])" for k in layers]
    return f"g_{i}_{j} = sigmoid({' + '.join(products)})", f"global gate {i} to {j}"


def _unit_gate(name: str, j: int, below: str, comment: str) -> Line:
    own = f"W_{name}{j} @ {below} + U_{name}{j} @ h_{j}[t-1] + b_{name}{j}"
    return f"{name}_{j} = sigmoid({own})", comment.format(j)


def _tanh(j: int, below: str, feedback: str) -> list[Line]:
    return [(f"h_{j} = tanh(W_{j} @ {below} + {feedback} + b_{j})", f"hidden state {j}")]


def _gru(j: int, below: str, feedback: str) -> list[Line]:
    return [
        _unit_gate("r", j, below, "reset gate {}"),
        _unit_gate("z", j, below, "update gate {}: share of the new memory"),
        (f"n_{j} = tanh(W_{j} @ {below} + r_{j} * ({feedback}) + b_{j})", f"new memory {j}"),
        (f"h_{j} = (1 - z_{j}) * h_{j}[t-1] + z_{j} * n_{j}", f"hidden state {j}"),
    ]


def _lstm(j: int, below: str, feedback: str) -> list[Line]:
    return [
        _unit_gate("i", j, below, "input gate {}"),
        _unit_gate("f", j, below, "forget gate {}"),
        (f"b_f{j}: H = 1.0", "open at the start"),
        _unit_gate("o", j, below, "output gate {}"),
        (f"n_{j} = tanh(W_{j} @ {below} + {feedback} + b_{j})", f"new memory {j}"),
        (f"c_{j} = f_{j} * c_{j}[t-1] + i_{j} * n_{j}", f"cell {j}"),
        (f"h_{j} = o_{j} * tanh(c_{j})", f"hidden state {j}"),
    ]


_UNITS: Registry[Callable[[int, str, str], list[Line]]] = Registry(
    "gated feedback", "unit", {"tanh": _tanh, "gru": _gru, "lstm": _lstm}
)
