"""The torch engine: cells that PyTorch has, by PyTorch's own operations.

They are oneDNN's on the CPU (the LSTM) and cuDNN's on a GPU.  A cell is known by its equations,
so that a user's own text for one of them runs here too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from penstock.engines.stages import Sequence
from penstock.engines.storage import Weights
from penstock.equations import parse
from penstock.equations.plan import Plan, plan
from penstock.equations.program import Operation

__all__ = ["CELLS", "Cell", "accepts", "cell_of", "describe", "run", "supports"]


@dataclass(frozen=True)
class Cell:
    """A cell that PyTorch has.

    Attributes:
        name: of the module that runs it.
        module: its class.
        operation: takes a sequence, the first state and weights.
        equations: what it computes.
        parts: the names of the weights whose rows PyTorch stacks, for each of its weights; "0"
            is a bias of zeros.
        options: of the module; one that names a size of the cell takes its number.
    """

    name: str
    module: Callable[..., nn.RNNBase]
    operation: Callable[..., Any]
    equations: str
    parts: tuple[tuple[str, ...], ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def _parts(gates: str, *more: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """W, U, b, and a second bias of zeros, each with the rows of all gates."""
    names = [tuple(f"{letter}_{gate}" for gate in gates) for letter in "WUb"]
    return (*names, *(more or (("0",) * len(gates),)))


_LSTM = """
i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)
f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)
o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)
g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
c = f * c[t-1] + i * g
"""
_GRU = """
r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)
z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
n = tanh(W_n @ x + b_n + r * (U_n @ h[t-1] + q_n))
h = (1 - z) * n + z * h[t-1]
"""
_PLAIN = (("W",), ("U",), ("b",), ("0",))

CELLS = (
    Cell("nn.LSTM", nn.LSTM, torch.lstm, f"{_LSTM}h = o * tanh(c)", _parts("ifgo")),
    Cell(
        "nn.LSTM with a projection",
        nn.LSTM,
        torch.lstm,
        f"h: P\n{_LSTM}m = o * tanh(c)\nh = W_h @ m",
        _parts("ifgo", ("0",) * 4, ("W_h",)),
        {"proj_size": "P"},
    ),
    Cell("nn.GRU", nn.GRU, torch.gru, _GRU, _parts("rzn", ("0", "0", "q_n"))),
    Cell("nn.RNN", nn.RNN, torch.rnn_tanh, "h = tanh(W @ x + U @ h[t-1] + b)", _PLAIN),
    Cell(
        "nn.RNN with relu",
        nn.RNN,
        torch.rnn_relu,
        "h = relu(W @ x + U @ h[t-1] + b)",
        _PLAIN,
        {"nonlinearity": "relu"},
    ),
)


@cache
def _known() -> dict[tuple[Operation, ...], Cell]:
    return {plan(parse(cell.equations)).program.operations: cell for cell in CELLS}


def cell_of(plan: Plan) -> Cell | None:
    """The operation of PyTorch that computes a program, if there is one."""
    if "cell" not in plan.notes:
        plan.notes["cell"] = _known().get(plan.program.operations)
    found: Cell | None = plan.notes["cell"]
    return found


def supports(plan: Plan, _: Tensor) -> str:
    """Why the engine cannot run a program; empty when it can."""
    if cell_of(plan) is None:
        return f"PyTorch has no operation for the equations of {plan.program.name}"
    return ""


def accepts(plan: Plan, sequence: Sequence, trace: Collection[str]) -> str:
    """Why the engine cannot run a program over a sequence; empty when it can."""
    cell, sizes = cell_of(plan), sequence.sizes
    if cell is not None and sizes["H"] in [sizes.get(size) for size in cell.options.values()]:
        return "PyTorch takes a projection of H units for none"
    if trace:
        return "PyTorch gives no value from within a step"
    if sequence.reset is not None:
        return "PyTorch does not reset states within a sequence"
    mask = sequence.mask
    if mask is not None and bool((mask[1:] & ~mask[:-1]).any()):
        return "PyTorch takes padding at the end of a sequence only"
    return ""


def describe(plan: Plan, _: Mapping[str, int]) -> str:
    """What it calls, and when it does not, in words."""
    cell = cell_of(plan)
    assert cell is not None
    return (
        f"torch: what {cell.name} runs, but not with resets, traces or padding before the end; "
        "no second derivatives"
    )


def run(
    plan: Plan, weights: Weights, sequence: Sequence, *, trace: Collection[str] = ()
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Run a program over a sequence; see :func:`penstock.engines.reference.run`."""
    del trace
    cell = cell_of(plan)
    assert cell is not None
    fields = [slot.field for slot in plan.program.slots]
    first = [sequence.state[field] for field in fields]
    if not sequence.xs.shape[0] or not sequence.xs.shape[1]:
        width = sequence.sizes[plan.program.output_shape[0]]
        return sequence.nothing(width, weights), sequence.state, {}
    lengths = None if sequence.mask is None else sequence.mask.sum(0)
    xs = _turned(sequence.padded.xs, lengths) if sequence.reverse else sequence.padded.xs
    ys, last = _call(cell, _in_order(cell, weights), xs, first, lengths)
    ys = _turned(ys, lengths) if sequence.reverse else ys
    return ys, dict(zip(fields, last, strict=True)), {}


def _call(
    cell: Cell, weights: list[Tensor], xs: Tensor, first: list[Tensor], lengths: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """Outputs, zero at padding, and last states."""
    state = [value[None] for value in first]
    hidden: Any = state if len(state) > 1 else state[0]
    options = True, 1, 0.0, torch.is_grad_enabled(), False
    if lengths is None:
        ys, *last = cell.operation(xs, hidden, weights, *options, False)
        return ys, [value[0] for value in last]
    # Packed sequences hold a step at least; what a sequence of none gives is put right.
    packed = pack_padded_sequence(xs, lengths.clamp(min=1).cpu(), enforce_sorted=False)
    order = packed.sorted_indices
    hidden = [value[:, order] for value in state] if len(state) > 1 else hidden[:, order]
    data, *last = cell.operation(packed.data, packed.batch_sizes, hidden, weights, *options)
    ys, _ = pad_packed_sequence(packed._replace(data=data), total_length=xs.shape[0])
    empty = (lengths == 0)[:, None]
    ends = [value[0, packed.unsorted_indices] for value in last]
    ends = [torch.where(empty, old, new) for old, new in zip(first, ends, strict=True)]
    return ys.masked_fill(empty, 0), ends


def _in_order(cell: Cell, weights: Weights) -> list[Tensor]:
    """The weights as PyTorch stacks them, in one piece, as cuDNN wants them."""
    height = len(weights[cell.parts[2][0]])
    zeros = weights.flat.new_zeros(height)
    blocks = [[zeros if name == "0" else weights[name] for name in part] for part in cell.parts]
    piece = torch.cat([block.reshape(-1) for part in blocks for block in part])
    parts = piece.split([sum(block.numel() for block in part) for part in blocks])
    return [values.view(-1, *part[0].shape[1:]) for values, part in zip(parts, blocks, strict=True)]


def _turned(values: Tensor, lengths: Tensor | None) -> Tensor:
    """The steps (T, B, size) of each sequence from its last to its first; padding stays."""
    if lengths is None:
        return values.flip(0)
    steps = torch.arange(len(values), device=values.device)[:, None]
    places = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return values.gather(0, places[..., None].expand_as(values))
