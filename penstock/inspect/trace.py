"""What happens inside a recurrent language model while it reads: gates, states, gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penstock.equations.program import Program
from penstock.models.mode import evaluating
from penstock.models.window import WindowModel

__all__ = ["Flow", "Trace", "gate_activity", "gradient_flow"]

_BOUNDS = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
_NEAR = 0.1


@dataclass(frozen=True)
class Trace:
    """One named value of one layer at every step of a text.

    Attributes:
        layer: from 1.
        name: as in the cell's equations.
        comment: of its line there.
        is_state: whether the next step reads it.
        bounds: least and greatest value it can have; None when there is no such limit.
        values: (T, size).
    """

    layer: int
    name: str
    comment: str
    is_state: bool
    bounds: tuple[float, float] | None
    values: np.ndarray

    @property
    def is_gate(self) -> bool:
        """Whether it lies between closed (0) and open (1)."""
        return self.bounds == (0.0, 1.0)

    @property
    def saturation(self) -> tuple[float, float]:
        """Shares of the values within 0.1 of the lower and of the upper bound.

        Karpathy, Johnson & Li 2016, section 4.2, draw them for the gates of an LSTM.
        """
        low, high = self.bounds or (-np.inf, np.inf)
        values = self.values
        return float((values < low + _NEAR).mean()), float((values > high - _NEAR).mean())


@dataclass(frozen=True)
class Flow:
    """How much of the gradient of a loss reaches a state k steps before it.

    Attributes:
        layer: from 1.
        state: its name.
        norms: (K + 1,), the mean norm of d loss(t) / d state(t-k) for k = 0 ... K.
    """

    layer: int
    state: str
    norms: np.ndarray


def gate_activity(model: Any, ids: np.ndarray, *, anew: int | None = None) -> list[Trace]:
    """Every named vector and scalar of every layer while the model reads a text.

    Args:
        model: a language model; left as it was.
        ids: (T,), the tokens it reads.
        anew: id of the token before which the state starts anew (None: it never does).

    Returns:
        One trace per layer and name, in the order of the equations.
    """
    inputs = _on_device(model, ids)[:, None]
    reset = None if anew is None else inputs == anew
    with evaluating(model), torch.no_grad():
        *_, layers = model(inputs, reset=reset, trace=True)
        programs = [layer.plan.program for layer in model.recurrent.stack]
    return [
        _trace(number, program, line.name, line.comment, values[line.name][:, 0])
        for number, (program, values) in enumerate(zip(programs, layers, strict=True), start=1)
        for line in {line.name: line for line in program.assignments}.values()
        if line.name in values
    ]


def gradient_flow(
    model: Any, ids: np.ndarray, eos_id: int, *, distances: int = 40, positions: int = 32
) -> list[Flow]:
    """How the gradient of a loss fades, or grows, on its way back through time.

        flow(k) = mean over t of || d loss(t) / d h(t-k) ||,    k = 0 ... K

    The same for every other state, taken as it is handed from step t-k to the next one: a state
    that only the following steps read has flow(0) = 0.  The vanishing gradient of lecture 003
    (Bengio, Simard & Frasconi 1994) is a straight line downwards on a logarithmic axis.

    Args:
        model: a language model; left as it was.
        ids: (N,), a text; each position t is read after up to K steps that are not counted.
        eos_id: stands before the text.
        distances: K, as far as the text allows.
        positions: how many t, spread evenly over the text.

    Returns:
        One flow per layer and state; none for a cell without a state.  A window network has one,
        with respect to the vector of each word it reads.
    """
    if isinstance(model, WindowModel):
        return [_word_flow(model, ids, eos_id, positions)] if len(ids) >= model.context else []
    inputs, targets = _windows(ids, eos_id, 2 * distances + 1, positions)
    steps = min(distances + 1, len(inputs))
    with evaluating(model):
        stack = model.recurrent.stack
        states = [layer.first_state(inputs.shape[1]) for layer in stack]
        with torch.no_grad():
            for ids_t in _on_device(model, inputs[:-steps]):
                _step(model, ids_t, states)
        nudges = []
        for ids_t in _on_device(model, inputs[-steps:]):
            nudges.append(
                [_zeros(layer, state) for layer, state in zip(stack, states, strict=True)]
            )
            hidden = _step(model, ids_t, states, nudges[-1])
        loss = model.losses(hidden[None], _on_device(model, targets)[None]).sum()
    return [
        Flow(number + 1, name, _norms(loss, [step[number][name] for step in reversed(nudges)]))
        for number, layer in enumerate(stack)
        for name in layer.program.states
    ]


def _word_flow(model: WindowModel, ids: np.ndarray, eos_id: int, positions: int) -> Flow:
    """d loss(t) / d x by the places of x: k = 0 is the last word read."""
    inputs, targets = _windows(ids, eos_id, model.context, positions)
    with evaluating(model):
        vectors = list(model.embedding(_on_device(model, inputs)).detach().requires_grad_())
        hidden, *_ = model.read(torch.cat(vectors, -1)[None])
        loss = model.losses(hidden, _on_device(model, targets)[None]).sum()
    return Flow(1, "word vector", _norms(loss, vectors[::-1]))


def _trace(layer: int, program: Program, name: str, comment: str, values: Tensor) -> Trace:
    bounds = _bounds(program, program.indices[name])
    return Trace(layer, name, comment, name in program.states, bounds, values.cpu().numpy())


def _bounds(program: Program, index: int) -> tuple[float, float] | None:
    """Least and greatest value, as far as the outermost function tells; of ``1 - gate`` too."""
    operation = program.operations[index]
    if operation.op == "sub":
        one, gate = operation.args
        first = program.operations[one]
        is_rest = first.op == "constant" and first.value == 1
        return (0.0, 1.0) if is_rest and _bounds(program, gate) == (0.0, 1.0) else None
    return _BOUNDS.get(operation.op)


def _windows(
    ids: np.ndarray, eos_id: int, length: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of a text, each with the token that follows: inputs (T, P), targets (P,)."""
    length = min(length, len(ids))
    ends = np.unique(np.linspace(length - 1, len(ids) - 1, count).astype(np.int64))
    before = np.concatenate([[eos_id], ids[: ends[-1]]]).astype(np.int64)
    return before[ends - length + 1 + np.arange(length)[:, None]], np.asarray(ids)[ends]


def _zeros(layer: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.zeros_like(state[name]).requires_grad_() for name in layer.program.states}


def _step(
    model: Any,
    ids: Tensor,
    states: list[dict[str, Tensor]],
    nudges: list[dict[str, Tensor]] | None = None,
) -> Tensor:
    """One step of all layers; ``states`` is moved on, the last layer's output given back.

    The gradient with respect to a nudge, which is zero, is that with respect to what it is added
    to, whatever the engine computed that with.
    """
    x = model.embedding(ids)
    for number, layer in enumerate(model.recurrent.stack):
        ys, state, _ = layer(x[None], states[number])
        x, nudge = ys[0], nudges[number] if nudges else {}
        states[number] = state | {name: state[name] + zero for name, zero in nudge.items()}
        x = x + nudge.get(layer.program.output, 0)
    return x


def _norms(loss: Tensor, nudges: list[Tensor]) -> np.ndarray:
    grads = torch.autograd.grad(loss, nudges, retain_graph=True, materialize_grads=True)
    return np.array([float(grad.double().norm(dim=-1).mean()) for grad in grads])


def _on_device(model: Any, ids: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(ids).astype(np.int64)).to(model.embedding.weight.device)
