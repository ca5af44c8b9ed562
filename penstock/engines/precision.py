"""Matrices of weights in fewer bits: bfloat16, or int8 with a scale for each row."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock.registry import Registry

__all__ = ["FULL", "PRECISIONS", "rounded"]

FULL = "float32"
PRECISIONS: Registry[int] = Registry("Recurrent.quantise", "precision of weights")
"""Name to the machine's number (``Precision`` in ``native/program.h``)."""
for _number, _name in enumerate((FULL, "bfloat16", "int8")):
    PRECISIONS.add(_name, _number)


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


def _nearest(matrix: Tensor, precision: str) -> Tensor:
    if precision == "bfloat16":
        return matrix.bfloat16().to(matrix.dtype)
    scale = matrix.abs().amax(-1, keepdim=True) / 127 if matrix.numel() else matrix
    return torch.where(scale == 0, 0, (matrix / scale).round() * scale)
