"""Cells that are time steps of differential equations."""

from __future__ import annotations

from penstock.cells.base import Cell

__all__ = ["LEM", "Antisymmetric", "AntisymmetricGated", "CoRNN", "TauGRU"]


class Antisymmetric(Cell, name="antisymmetric"):
    """Forward Euler step of a stable equation with an antisymmetric matrix.

    Chang, Chen, Haber & Chi 2019.

    gamma damps, epsilon is the step. The paper tunes both.
    """

    equations = """
    epsilon = 0.1                                                # step
    gamma = 0.01                                                 # damping
    g = tanh((U - U.T) @ h[t-1] - gamma * h[t-1] + W @ x + b)    # rate of change
    h = h[t-1] + epsilon * g                                     # hidden state
    """
    initial = {"b": 0.0}


class AntisymmetricGated(Cell, name="antisymmetric-gated"):
    """Antisymmetric network with an input gate that shares its matrix.

    Chang, Chen, Haber & Chi 2019.
    """

    equations = """
    epsilon = 0.1                                   # step
    gamma = 0.01                                    # damping
    a = (U - U.T) @ h[t-1] - gamma * h[t-1]         # recurrent part, shared
    z = sigmoid(a + W_z @ x + b_z)                  # input gate
    g = tanh(a + W_g @ x + b_g)                     # rate of change
    h = h[t-1] + epsilon * z * g                    # hidden state
    """
    initial = {"b_z": 0.0, "b_g": 0.0}


class CoRNN(Cell, name="cornn"):
    """Coupled damped oscillators driven by the input.

    Rusch & Mishra 2021.

    h is position and v velocity. Equation 3 of the paper with the damping term explicit,
    as in the authors' code; constants of its sequential MNIST run.
    """

    equations = """
    dt = 0.042                                                          # step
    gamma = 2.7                                                         # squared frequency
    epsilon = 4.7                                                       # damping
    f = tanh(W @ x + U @ h[t-1] + V @ v[t-1] + b)                       # force
    v = v[t-1] + dt * (f - gamma * h[t-1] - epsilon * v[t-1])           # velocity
    h = h[t-1] + dt * v                                                 # position
    """


class LEM(Cell, name="lem"):
    """Long expressive memory: two coupled states, each with a time step it learns.

    Rusch, Mishra, Erichson & Mahoney 2022.

    h is the paper's y, which sees the new z; torchrecurrent lets it see the old one.
    """

    equations = """
    dt = 1.0                                              # longest step
    p = dt * sigmoid(W_p @ x + U_p @ h[t-1] + b_p)        # time step of the memory
    q = dt * sigmoid(W_q @ x + U_q @ h[t-1] + b_q)        # time step of the hidden state
    a = tanh(W_z @ x + U_z @ h[t-1] + b_z)                # where the memory moves
    z = (1 - p) * z[t-1] + p * a                          # memory
    n = tanh(W_h @ x + V_h @ z + b_h)                     # where the hidden state moves
    h = (1 - q) * h[t-1] + q * n                          # hidden state
    """


class TauGRU(Cell, name="taugru"):
    """Gated unit of a delay differential equation: it also sees a state further back.

    Erichson, Lim & Mahoney 2025.

    The paper tunes the delay to the task, from a few steps to over a hundred; copy the
    equations and change h[t-5] for another one. The delay of 5 from the new state is
    ``delay=4`` in torchrecurrent, which counts from the state before.
    """

    equations = """
    u = tanh(W_u @ x + U_u @ h[t-1] + b_u)       # instant memory
    d = tanh(W_d @ x + U_d @ h[t-5] + b_d)       # delayed memory
    a = sigmoid(W_a @ x + U_a @ h[t-1] + b_a)    # weight of the delayed memory
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)    # update gate: share of the new memory
    h = (1 - z) * h[t-1] + z * (u + a * d)       # hidden state
    """
