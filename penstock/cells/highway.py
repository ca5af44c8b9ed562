"""Cells with highway connections: deep within a step, or from layer to layer."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["RHN", "IntersectionRNN", "highway"]


def highway(depth: int) -> str:
    """Equations of a recurrent highway network with coupled gates.

    Args:
        depth: highway layers in one time step, at least 1; only the first sees the input.

    Example:
        >>> print(highway(2))
        g_1 = tanh(W_g @ x + U_g1 @ h[t-1] + b_g1)       # memory of layer 1
        z_1 = sigmoid(W_z @ x + U_z1 @ h[t-1] + b_z1)    # share of it
        s_1 = z_1 * g_1 + (1 - z_1) * h[t-1]             # state after layer 1
        g_2 = tanh(U_g2 @ s_1 + b_g2)                    # memory of layer 2
        z_2 = sigmoid(U_z2 @ s_1 + b_z2)                 # share of it
        h = z_2 * g_2 + (1 - z_2) * s_1                  # hidden state
    """
    lines: list[tuple[str, str]] = []
    old = "h[t-1]"
    for n in range(1, depth + 1):
        see_g, see_z = ("W_g @ x + ", "W_z @ x + ") if n == 1 else ("", "")
        new, label = ("h", "hidden state") if n == depth else (f"s_{n}", f"state after layer {n}")
        lines += [
            (f"g_{n} = tanh({see_g}U_g{n} @ {old} + b_g{n})", f"memory of layer {n}"),
            (f"z_{n} = sigmoid({see_z}U_z{n} @ {old} + b_z{n})", "share of it"),
            (f"{new} = z_{n} * g_{n} + (1 - z_{n}) * {old}", label),
        ]
        old = new
    width = max(len(equation) for equation, _ in lines) + 4
    return "\n".join(f"{equation:{width}}# {label}" for equation, label in lines)


class RHN(Cell, name="rhn"):
    """Recurrent highway network, three layers deep in each step.

    Zilly, Srivastava, Koutnik & Schmidhuber 2017.

    Carry and transform gates are coupled, as in the paper's experiments, and the transform
    biases start at -2. ``highway(depth)`` writes the equations for another depth.
    """

    equations = highway(3)
    initial = {"b_z1": -2.0, "b_z2": -2.0, "b_z3": -2.0}


class IntersectionRNN(Cell, name="intersection"):
    """Intersection network: gates both through time and through depth.

    Collins, Sohl-Dickstein & Sussillo 2017.

    The output y is no state. The paper passes x itself to the output, which needs an input
    as wide as the state; here x passes through W_x, as TensorFlow's ``num_in_proj`` does
    (which then shows the other lines the projected x). Gate biases start at 1 as there.
    """

    equations = """
    y_in = relu(W_y @ x + U_y @ h[t-1] + b_y)    # candidate for the next layer
    n = tanh(W_n @ x + U_n @ h[t-1] + b_n)       # candidate for the next step
    d = sigmoid(W_d @ x + U_d @ h[t-1] + b_d)    # depth gate: share of the input
    f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)    # recurrent gate: share of the old state
    y = d * (W_x @ x) + (1 - d) * y_in           # output
    h = f * h[t-1] + (1 - f) * n                 # hidden state
    return y
    """
    initial = {"b_d": 1.0, "b_f": 1.0}
