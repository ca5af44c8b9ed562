"""Large products of float32, on the processor's registers for tiles where it has them.

The numbers of a row, and of a column, stand there for whole numbers of 24 bits with a factor of
their own, and products of their digits are added up without rounding (Ootomo, Ozaki & Yokota 2024,
"DGEMM on integer matrix multiplication unit", arXiv:2306.11975). Errors beside the size of a row's
and a column's numbers are those of float32, for twice the speed of its units. Where a line's
largest number is too large beside the others, and in place of all this when PyTorch's switch asks
for float32 and nothing else (:func:`penstock.engines.precision.is_strict`), a number is exactly the
sum of three in bfloat16, and six products of these have float32's own error for every entry (Henry,
Tang & Heinecke 2019, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision
computations", arXiv:1904.06376). What is below 1e-31 loses its last bits. No bit depends on the
number of threads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock._native import has_tiles, multiply_large
from penstock.engines.gather import Gathered
from penstock.engines.modes import is_recorded, is_transformed
from penstock.engines.precision import HALVES, is_strict, products

__all__ = ["linear", "multiply"]

_WHOLE, _EXACT, _ROUNDED = range(3)
"""Ways to make a product (``LargeProduct`` in ``native/isa.h``)."""
_WORTH = 1 << 23
"""Multiplications from which on packing the operands is worth its time."""
_FEWEST = 32
"""Rows, columns and depths at least."""
_ALONE = 1 << 22
"""Multiplications that are not worth another thread."""


def multiply(
    left: Tensor, right: Tensor, *, start: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """``left @ right + start`` without a gradient.

    Args:
        left: (M, K).
        right: (K, N), any layout.
        start: (M, N) or (N,), added to the product. It may be ``out``; infinite products may then
            be NaN.
        out: (M, N), where the result goes; a new tensor when None.
    """
    if _takes(left, right):
        done, finite = _on_tiles(left, right, start, out)
        if finite or start is out is not None:
            return done
    if start is None:
        return torch.mm(left, right, out=out)
    if start is out:
        return start.addmm_(left, right)
    return torch.addmm(start, left, right, out=out)


def linear(
    x: Tensor, matrix: Tensor, bias: Tensor | None = None, gathered: Gathered | None = None
) -> Tensor:
    """``x matrix^T + bias`` as ``torch.nn.functional.linear``, with a gradient of any order.

    Args:
        x: (..., D).
        matrix: (H, D).
        bias: (H,).
        gathered: where the gradient of the matrix may be written.

    Returns:
        (..., H).
    """
    rows = x.reshape(-1, x.shape[-1])
    if is_transformed() or not _takes(rows, matrix.T):
        return F.linear(x, matrix, bias)
    product: Tensor = _Product.apply(rows, matrix.T, bias, gathered)
    return product.view(*x.shape[:-1], len(matrix))


class _Product(torch.autograd.Function):
    """left @ right + bias; its gradients are such products again."""

    @staticmethod
    def forward(
        ctx: Any,
        left: Tensor,
        right: Tensor,
        bias: Tensor | None = None,
        gathered: Gathered | None = None,
    ) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.gathered = gathered
        return multiply(left, right, start=bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        left, right = ctx.saved_tensors
        of_left, of_right, *others = ctx.needs_input_grad
        return (
            _Product.apply(grad, right.T) if of_left else None,
            _matrix_gradient(grad, left, right.T, ctx.gathered).T if of_right else None,
            *(grad.sum(0) if wanted else None for wanted in others),
        )


def _matrix_gradient(
    grad: Tensor, left: Tensor, matrix: Tensor, gathered: Gathered | None
) -> Tensor:
    """The gradient of a matrix, as it lies in memory."""
    if torch.is_grad_enabled() or gathered is None:
        return _Product.apply(grad.T, left)
    return multiply(grad.T, left, out=gathered.place(matrix))


def _takes(left: Tensor, right: Tensor) -> bool:
    """Whether a product is one for tile registers."""
    if torch.compiler.is_compiling():  # a look at sizes would tie the graph to them
        return False
    rows, depth, columns = *left.shape, right.shape[1]
    return (
        rows * depth * columns >= _WORTH
        and min(rows, depth, columns) >= _FEWEST
        and left.dtype == right.dtype == torch.float32
        and left.device.type == right.device.type == "cpu"
        and has_tiles()
        and not torch.is_autocast_enabled("cpu")
        and not is_recorded(left, right)
    )


def _on_tiles(
    left: Tensor, right: Tensor, start: Tensor | None, out: Tensor | None
) -> tuple[Tensor, bool]:
    """The product, and whether its operands are finite."""
    (rows, depth), columns = left.shape, right.shape[1]
    result = left.new_empty(rows, columns) if out is None else out
    left, right = _in_lines(left), _in_lines(right)
    by_row = 0 if start is None or start.ndim == 1 else start.stride(0)
    threads = min(torch.get_num_threads(), 1 + rows * depth * columns // _ALONE)
    way = _ROUNDED if products(left.dtype) == HALVES else _EXACT if is_strict() else _WHOLE
    finite = multiply_large(
        left.data_ptr(), rows, *left.stride(),
        right.data_ptr(), columns, *right.T.stride(),
        depth, 0 if start is None else start.data_ptr(), by_row,
        result.data_ptr(), result.stride(0), way, threads,
    )  # fmt: skip
    return result, finite


def _in_lines(operand: Tensor) -> Tensor:
    """The operand with neighbouring numbers side by side in one of its directions."""
    return operand if 1 in operand.stride() else operand.contiguous()
