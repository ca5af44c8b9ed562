"""The loop as a PyTorch operator, for ``torch.compile`` and ``torch.export``.

Run directly, a loop goes through :mod:`penstock.engines.differentiate`, which costs less each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from penstock.engines.differentiate import backward, forward, saved_for
from penstock.engines.machine import Compiled, Order, compiled

__all__ = ["loop", "loop_backward"]


@torch.library.custom_op("penstock::loop", mutates_args=())
def loop(
    program: str,
    flat: Sequence[Tensor],
    sizes: Sequence[int],
    like: Tensor,
    steps: int,
    batch: int,
    reverse: bool,
    offsets: Tensor | None,
    rows: Tensor | None,
    resets: Tensor | None,
    words: Tensor | None,
    training: bool,
) -> list[Tensor]:
    """Run a loop; see :func:`penstock.engines.differentiate.run_loop`.

    Args:
        program: the loop as text.
        flat: tokens, sequences, vectors, matrices and first states.
        sizes: how many there are of each.
        like: any tensor of the numbers' type.
        steps, batch, reverse, offsets, rows, resets, words: see
            :class:`~penstock.engines.machine.Order`.
        training: whether the outputs hold what the way back needs.
    """
    order = Order(steps, batch, reverse, offsets, rows, resets, words)
    return forward(_made(program, training), flat, sizes, like, order)


@torch.library.custom_op("penstock::loop_backward", mutates_args=())
def loop_backward(
    program: str,
    sizes: Sequence[int],
    saved: Sequence[Tensor],
    gradients: Sequence[Tensor],
    steps: int,
    batch: int,
    reverse: bool,
    offsets: Tensor | None,
    rows: Tensor | None,
    resets: Tensor | None,
    words: Tensor | None,
) -> list[Tensor]:
    """The gradients of :func:`loop` by each of its inputs; zero where there is none."""
    order = Order(steps, batch, reverse, offsets, rows, resets, words)
    found = backward(compiled(program), sizes, saved, gradients, order)
    return [  # of their own each, as an operator's outputs must be
        torch.zeros_like(tensor) if gradient is None else gradient.clone()
        for gradient, tensor in zip(found, saved, strict=False)
    ]


def _made(program: str, training: bool) -> Compiled:
    return compiled(program).training if training else compiled(program)


@loop.register_fake
def _(
    program: str, flat: Sequence[Tensor], sizes: Sequence[int], like: Tensor, *rest: Any
) -> list[Tensor]:
    *order, training = rest
    count, made = Order(*order).count, _made(program, training)
    source = made.source_steps(flat[sizes[0] :])
    outputs = [like.new_empty(count, width or source) for width in made.output_widths]
    return [*outputs, *(torch.empty_like(state) for state in flat[len(flat) - sizes[-1] :])]


@loop_backward.register_fake
def _(
    program: str,
    sizes: Sequence[int],
    saved: Sequence[Tensor],
    gradients: Sequence[Tensor],
    *order: Any,
) -> list[Tensor]:
    del gradients
    count, made = Order(*order).count, compiled(program)
    tokens = [saved[0].new_empty(count, width) for width in made.token_widths]
    return [*tokens, *(torch.empty_like(tensor) for tensor in saved[sizes[0] : sum(sizes)])]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    ctx.program, flat, ctx.sizes, like, steps, batch, reverse, *order, _ = inputs
    ctx.numbers, ctx.shapes = (steps, batch, reverse), [tensor.shape for tensor in output]
    ctx.has = [tensor is not None for tensor in order]
    of_order = [tensor for tensor in order if tensor is not None]
    ctx.save_for_backward(
        *of_order, *saved_for(compiled(ctx.program), flat, ctx.sizes, like, output)
    )


def _backward(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    tensors = list(ctx.saved_tensors)
    of_order = [tensors.pop(0) if has else None for has in ctx.has]
    given = [
        tensors[0].new_zeros(shape) if gradient is None else gradient
        for gradient, shape in zip(gradients, ctx.shapes, strict=True)
    ]
    found = loop_backward(ctx.program, ctx.sizes, tensors, given, *ctx.numbers, *of_order)
    return None, found, *[None] * 10


loop.register_autograd(_backward, setup_context=_setup)
