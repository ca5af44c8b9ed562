"""A second, simplest interpreter of a Program: one sequence, one step, one number after another.

It knows nothing of plans, batches or masks: numpy vectors, the operations in the order in
which the program lists them.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf, expit, softmax

from penstock.equations import Program

__all__ = ["run"]


def _layernorm(v):
    return (v - v.mean()) / np.sqrt(v.var() + 1e-5)


COMPUTE = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "transpose": lambda a: a.T,
    "matmul": lambda a, b: a @ b,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "square": lambda a: a * a,
    "softplus": lambda a: np.log1p(np.exp(a)),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "hard_sigmoid": lambda a: np.clip(a / 6 + 0.5, 0, 1),
    "hard_tanh": lambda a: np.clip(a, -1, 1),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "silu": lambda a: a * expit(a),
    "gelu": lambda a: a * 0.5 * (1 + erf(a / np.sqrt(2))),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "layernorm": _layernorm,
    "softmax": softmax,
    "mean": lambda v: v.mean(),
    "sum": lambda v: v.sum(),
}


def run(program: Program, weights, xs, state, noise=None):
    """One sequence xs (T, D) from a state by field; noise by name, (T, ...) if per step.

    Returns:
        Outputs (T, size), the state at the end, every named value at every step.
    """
    state, outputs = dict(state), []
    traces = {name: [] for name in program.indices}
    fields = {(slot.name, slot.delay): slot.field for slot in program.slots}
    for t, x in enumerate(xs):
        values = []
        for op in program.operations:
            args = [values[arg] for arg in op.args]
            if op.op == "input":
                values.append(state[fields["x", op.delay]] if op.delay else x)
            elif op.op == "state":
                value = state[fields[op.name, op.delay]]
                values.append(value if op.shape else value[0])
            elif op.op == "weight":
                values.append(weights[op.name])
            elif op.op == "noise":
                value = noise[op.name][t] if op.per == "step" else noise[op.name]
                values.append(value if op.shape else value[0])
            else:
                is_number = op.op == "constant"
                values.append(np.float64(op.value) if is_number else COMPUTE[op.op](*args))
        named = {name: values[index] for name, index in program.indices.items()} | {"x": x}
        for name, values_so_far in traces.items():
            values_so_far.append(named[name])
        outputs.append(named[program.output])
        before = state
        state = {
            slot.field: np.atleast_1d(named[slot.name])
            if slot.delay == 1
            else before[fields[slot.name, slot.delay - 1]]
            for slot in program.slots
        }
    return outputs, state, traces
