"""Numbers in fewer bits: matrices of weights, and the products of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from penstock._native import multiplies_halves
from penstock.errors import ConfigError
from penstock.registry import Registry

__all__ = [
    "FIXED",
    "FULL",
    "HALVES",
    "PRECISIONS",
    "check_products",
    "is_strict",
    "products",
    "products_in",
    "rounded",
]

FULL, HALVES, FIXED = "float32", "operands in bfloat16", "operands as whole numbers"
PRECISIONS: Registry[int] = Registry("Recurrent.quantise", "precision of weights")
"""Name to the machine's number (``Precision`` in ``native/program.h``)."""
for _number, _name in enumerate((FULL, "bfloat16", "int8")):
    PRECISIONS.add(_name, _number)

_SWITCH = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]


def rounded(matrix: Tensor, precision: str) -> Tensor:
    """A matrix (rows, columns) as it is held; a gradient passes as if it were not rounded.

    int8: w = s q with s = max |w| / 127 of the row and q a whole number.

    >>> rounded(torch.tensor([[1.27, 0.014]]), "int8")
    tensor([[1.2700, 0.0100]])
    """
    if precision == FULL:
        return matrix
    near = _nearest(matrix.detach(), precision)
    return near + (matrix - matrix.detach()) if matrix.requires_grad else near


def check_products(precision: str) -> None:
    """Raise an error if the processor does not multiply in a precision."""
    if precision != FULL and not torch.cpu.get_capabilities().get("avx512_bf16"):
        raise ConfigError(
            f"precision {precision!r} needs a processor that multiplies in bfloat16 (avx512_bf16), "
            f"and this one does not. Leave it at {FULL!r}."
        )


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Products of float32 tensors meanwhile take their operands in ``precision``, sums in float32.

    It sets PyTorch's own switch ``torch.backends.mkldnn.matmul.fp32_precision``, which all products
    of the process follow, those within the native loop too.

    Args:
        precision: "float32" or "bfloat16".

    Raises:
        ConfigError: the processor does not multiply in bfloat16.
    """
    check_products(precision)
    if precision == FULL:
        yield
        return
    before, _SWITCH.fp32_precision = _SWITCH.fp32_precision, "bf16"
    try:
        yield
    finally:
        _SWITCH.fp32_precision = before


def products(dtype: torch.dtype) -> str:
    """How the native loop is to multiply now: ``FULL`` or ``HALVES``."""
    switched = _SWITCH.fp32_precision == "bf16"
    return HALVES if switched and dtype == torch.float32 and multiplies_halves() else FULL


def is_strict() -> bool:
    """Whether products of float32 are to be those of float32 numbers and nothing else.

    PyTorch's switch says so after ``torch.set_float32_matmul_precision("highest")``.
    """
    return bool(_SWITCH.fp32_precision == "ieee")


def _nearest(matrix: Tensor, precision: str) -> Tensor:
    if precision == "bfloat16":
        return matrix.bfloat16().to(matrix.dtype)
    scale = matrix.abs().amax(-1, keepdim=True) / 127 if matrix.numel() else matrix
    return torch.where(scale == 0, 0, (matrix / scale).round() * scale)
