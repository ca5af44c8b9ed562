"""A loop on the native machine with its gradient, for PyTorch's autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from penstock.engines.gather import Gathered
from penstock.engines.machine import Compiled, Order, Panels, compiled
from penstock.engines.modes import wants_gradient
from penstock.engines.precision import FULL, products
from penstock.engines.product import multiply
from penstock.engines.storage import Weights
from penstock.equations.adjoint import Adjoint
from penstock.equations.loop import Gaze

__all__ = [
    "Again",
    "backward",
    "forward",
    "run_loop",
    "saved_for",
]

Tensors = list[Tensor]


@dataclass(frozen=True)
class Again:
    """How to compute the loop's outputs once more in PyTorch, for second derivatives.

    Attributes:
        leaves: all that the outputs depend on.
        run: gives outputs and last states from new values of the leaves.
    """

    leaves: Tensors
    run: Callable[[Sequence[Tensor]], Sequence[Tensor]]


def run_loop(
    program: str,
    flat: Sequence[Tensor],
    sizes: list[int],
    order: Order,
    like: Tensor,
    again: Again,
    weights: Weights,
) -> Tensors:
    """Run a loop over a sequence, with a gradient if one is wanted.

    Args:
        program: the loop as text.
        flat: tokens (N, sum of widths), sequences (B, width), vectors (width,), matrices, and
            first states (B, width).
        sizes: how many there are of each.
        order: of the tokens.
        like: any tensor of the numbers' type, without gradient.
        again: the same in PyTorch.
        weights: what the matrices belong to; they keep them packed.

    Returns:
        Outputs (N, sum of widths), what the way back needs, last states (B, width), sums (width,).
    """
    if not wants_gradient(flat):
        made, matrices = compiled(program), _split(flat, sizes)[3]
        precision = products(like.dtype) if weights.precision == FULL else weights.precision
        way = made.way(precision, like.dtype, order.batch)
        packed = weights.keep((program, way), lambda: made.pack(matrices, way))
        return forward(made, flat, sizes, like, order, packed)
    call = _Call(program, sizes, order, like, again.run, len(again.leaves), weights.gathered)
    return list(_Differentiable.apply(call, *again.leaves, *flat))


def forward(
    made: Compiled,
    flat: Sequence[Tensor],
    sizes: Sequence[int],
    like: Tensor,
    order: Order,
    packed: Panels | None = None,
) -> Tensors:
    """Run, with matrices that are packed now if they are not yet; ``flat`` holds ``sizes`` tensors
    of each kind.
    """
    tokens, sequences, vectors, matrices, first = _split(flat, sizes)
    packed = packed or _packed(made, matrices, like, order)
    return made.run(tokens, sequences, vectors, packed, first, order, like)


def _packed(made: Compiled, matrices: Tensors, like: Tensor, order: Order) -> Panels:
    """Matrices packed as products are to be made now."""
    return made.pack(matrices, made.way(products(like.dtype), like.dtype, order.batch))


@dataclass(frozen=True)
class _Call:
    """What a differentiable run is given beside tensors."""

    program: str
    sizes: list[int]
    order: Order
    like: Tensor
    again: Callable[[Sequence[Tensor]], Sequence[Tensor]]
    leaves: int
    gathered: Gathered | None


class _Differentiable(torch.autograd.Function):
    """The loop as PyTorch's autograd takes it.

    A first derivative is that of the loop by what it reads.  When it is to be differentiated
    again, the gradient goes from the outputs straight to the leaves instead, in PyTorch.
    """

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        made, flat = compiled(call.program), tensors[call.leaves :]
        outputs = forward(made.training, flat, call.sizes, call.like, call.order)
        ctx.call = call
        ctx.set_materialize_grads(False)
        saved = saved_for(made, flat, call.sizes, call.like, outputs)
        ctx.save_for_backward(*tensors[: call.leaves], *saved)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        call, saved = ctx.call, ctx.saved_tensors
        leaves, saved = saved[: call.leaves], saved[call.leaves :]
        if torch.is_grad_enabled():
            found = _twice_differentiable(call, leaves, gradients)
            return None, *found, *[None] * sum(call.sizes)
        made = compiled(call.program)
        found = backward(made, call.sizes, saved, gradients, call.order, call.gathered)
        return None, *[None] * call.leaves, *found


def _twice_differentiable(
    call: _Call, leaves: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Gradients of the leaves that can be differentiated again."""
    made = compiled(call.program)
    kept, saved = len(made.loop.outputs), len(made.adjoint.forward.outputs)
    outputs = call.again(leaves)
    wanted = [*gradients[:kept], *gradients[saved:]]
    pairs = [
        (output, gradient)
        for output, gradient in zip(outputs, wanted, strict=True)
        if gradient is not None and output.requires_grad
    ]
    places = [place for place, leaf in enumerate(leaves) if leaf.requires_grad]
    made_of = torch.autograd.grad(
        [output for output, _ in pairs],
        [leaves[place] for place in places],
        [gradient for _, gradient in pairs],
        create_graph=True,
        allow_unused=True,
    )
    found: dict[int, Tensor | None] = dict(zip(places, made_of, strict=True))
    return [found.get(place) for place in range(len(leaves))]


def saved_for(
    made: Compiled, flat: Sequence[Tensor], sizes: Sequence[int], like: Tensor, outputs: Tensors
) -> Tensors:
    """What the way back reads; a token input it does not read is not kept alive."""
    read = {place for kind, place in made.adjoint.inputs if kind == "input"}
    tokens = [token if place in read else like for place, token in enumerate(flat[: sizes[0]])]
    return [*tokens, *flat[sizes[0] :], *outputs[: len(made.adjoint.forward.outputs)]]


def backward(
    made: Compiled,
    sizes: Sequence[int],
    saved: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    order: Order,
    gathered: Gathered | None = None,
) -> list[Tensor | None]:
    """The gradient of every input, from those of the outputs and last states.

    Those of matrices are written where ``gathered`` has a place for them.
    """
    ways = made.adjoint
    lists = _split(saved, [*sizes, len(ways.forward.outputs)])
    tokens, sequences, vectors, matrices, first, outputs = lists

    def gradient(place: int, shape_of: Tensor) -> Tensor:
        found = gradients[place]
        return torch.zeros_like(shape_of) if found is None else found

    given = {"input": tokens, "output": outputs}
    read = [
        gradient(place, outputs[place]) if kind == "gradient" else given[kind][place]
        for kind, place in ways.inputs
    ]
    ends = [gradient(len(outputs) + place, state) for place, state in enumerate(first)]
    ends += [torch.zeros_like(sequences[source]) for source in ways.carried]
    back_order = replace(order, reverse=not order.reverse)
    way = made.way_back
    like, of_source = (outputs or first)[0], _source_gradients(made.loop.gaze, sequences, vectors)
    packed = _packed(way, matrices, like, order)
    sources = [*sequences, *first]
    found = way.run(read, sources, vectors, packed, ends, back_order, like, of_source)
    back, states, sums = _split(found, [len(ways.backward.outputs), len(ends), len(ways.summed)])
    widths = made.loop.tokens
    places = [gathered.place(matrix) if gathered else None for matrix in matrices]
    of_sequence = dict(zip(ways.carried, states[len(first) :], strict=True))
    of_vector = dict(zip(ways.summed, sums, strict=True))
    _add_source_gradients(made.loop.gaze, of_source, of_sequence, of_vector)
    return [
        *[_part(ways, back, *at, sum(w)) for at, w in zip(ways.token_outputs, widths, strict=True)],
        *[of_sequence.get(source) for source in range(len(sequences))],
        *[of_vector.get(source) for source in range(len(vectors))],
        *[
            _matrix_gradient(ways, number, back, outputs, first, order, place)
            for number, place in enumerate(places)
        ],
        *states[: len(first)],
    ]


def _source_gradients(
    gaze: Gaze | None, sequences: Sequence[Tensor], vectors: Sequence[Tensor]
) -> Tensors:
    """Zeros for the gradients of keys, of values, and of the vector for each sequence."""
    if gaze is None:
        return []
    keys, values = sequences[gaze.keys], sequences[gaze.values]
    rows = len(keys), gaze.key_width if gaze.vector >= 0 else 0
    return [keys.new_zeros(shape) for shape in (keys.shape, values.shape, rows)]


def _add_source_gradients(
    gaze: Gaze | None,
    found: Tensors,
    of_sequence: dict[int, Tensor],
    of_vector: dict[int, Tensor],
) -> None:
    if gaze is None:
        return
    keys, values, vector = found
    for source, gradient in ((gaze.keys, keys), (gaze.values, values)):
        of_sequence[source] = of_sequence[source] + gradient if source in of_sequence else gradient
    if gaze.vector >= 0:
        total = vector.sum(0)
        known = of_vector.get(gaze.vector)
        of_vector[gaze.vector] = total if known is None else known + total


def _split(items: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensors]:
    """Consecutive parts of a list."""
    ends = list(accumulate(sizes, initial=0))
    return [list(items[low:high]) for low, high in pairwise(ends)]


def _part(ways: Adjoint, back: Tensors, place: int, first: int, width: int) -> Tensor:
    """Values that lie side by side in an output of the way back, from the ``first`` on."""
    start = sum(ways.backward.widths(ways.backward.outputs[place])[:first])
    return back[place][:, start : start + width]


def _matrix_gradient(
    ways: Adjoint,
    source: int,
    back: Tensors,
    outputs: Tensors,
    first: Tensors,
    order: Order,
    place: Tensor | None,
) -> Tensor:
    """One large product of all tokens: gradients of the results, and the operands."""
    dz = _part(ways, back, *ways.product_outputs[source], sum(ways.forward.matrices[source].rows))
    tap = ways.taps[source]
    operand = outputs[tap.output]
    if tap.kind == "output":
        return multiply(dz.T, operand, out=place)
    if order.rows is not None:
        known = torch.cat([operand, first[tap.first]])
        return multiply(dz.T, known[_previous(order, order.rows)], out=place)
    edge = min(order.batch, order.count)
    rest, start = order.count - edge, first[tap.first][:edge]
    if order.reverse:
        of_first, of_rest, before = dz[rest:], dz[:rest], operand[edge:]
    else:
        of_first, of_rest, before = dz[:edge], dz[edge:], operand[:rest]
    gradient = multiply(of_rest.T, before, out=place)
    return gradient.addmm_(of_first.T, start) if start.any() else gradient


def _previous(order: Order, rows: Tensor) -> Tensor:
    """The token before each, (N,); N + b for the first of row b."""
    count = rows.shape[0]
    places = torch.arange(count)
    by_row = torch.argsort(rows.flip(0) if order.reverse else rows, stable=True)
    by_row = count - 1 - by_row if order.reverse else by_row
    sorted_rows = rows[by_row]
    before = torch.cat([places[:1] - 1, by_row[:-1]])
    starts = torch.cat([rows.new_tensor([-1]), sorted_rows[:-1]]) != sorted_rows
    previous = torch.empty_like(by_row)
    previous[by_row] = torch.where(starts, count + sorted_rows, before)
    return previous
