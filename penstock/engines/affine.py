"""Products of a few vectors with a large matrix, as fast as it can be read."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from penstock.engines.precision import FULL
from penstock.engines.storage import Layout, Weights
from penstock.engines.stream import streamed
from penstock.equations import parse
from penstock.equations.plan import Plan, plan

__all__ = ["Affine"]


@cache
def _plan() -> Plan:
    return plan(parse("h = W @ x + b", "affine"))


class Affine:
    """``y = matrix x + bias`` with the weights as they were when it was made.

    Args:
        matrix: (V, D), on the CPU, float32 or float64.
        bias: (V,).
        precision: what the matrix is held in
            (:data:`penstock.engines.precision.PRECISIONS`); in fewer bits, of float32.
    """

    def __init__(self, matrix: Tensor, bias: Tensor, precision: str = FULL) -> None:
        self._height, self._width = matrix.shape
        sizes = {"D": self._width, "H": self._height}
        layout = Layout(_plan(), sizes)
        weights = Weights(layout, torch.cat([matrix.detach().flatten(), bias.detach()]), precision)
        self._streamed = streamed(_plan(), weights, sizes)

    def __call__(self, x: Tensor) -> Tensor:
        """The product of every row: x (N, D) -> y (N, V)."""
        x, y = x.contiguous(), x.new_empty(len(x), self._height)
        self._streamed.stepper.step(
            len(x), x.data_ptr(), self._width, [], [], y.data_ptr(), self._height
        )
        return y
