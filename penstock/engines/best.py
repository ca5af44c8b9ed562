"""The most probable symbols of a softmax, found without its logits in memory."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock._native import best_symbols, pack_symbols
from penstock.engines.instructions import TILE
from penstock.engines.machine import ISA, TYPES

__all__ = ["BestSymbols"]


class BestSymbols:
    """A softmax ``softmax(matrix h + bias)`` with its weights as they were when it was made.

    Product, sum of exponentials and choice go over a tile of symbols and a block of rows at a
    time.  The numbers do not depend on the number of threads.

    Args:
        matrix: (V, D), on the CPU, float32 or float64.
        bias: (V,).
    """

    def __init__(self, matrix: Tensor, bias: Tensor) -> None:
        self._made_of = [(weight, weight._version, weight.data_ptr()) for weight in (matrix, bias)]
        self._size, self._depth = matrix.shape
        padded = -(-self._size // TILE) * TILE
        self._panel = matrix.new_empty(padded * self._depth)
        self._bias = bias.detach().new_full((padded,), -torch.inf)
        self._bias[: self._size] = bias.detach()
        rows, out = matrix.detach().contiguous(), self._panel.data_ptr()
        pack_symbols(ISA, rows.data_ptr(), self._size, self._depth, out, self._is_double)

    @property
    def _is_double(self) -> bool:
        return self._bias.dtype == torch.float64

    @staticmethod
    def takes(h: Tensor, matrix: Tensor) -> bool:
        """Whether these tensors are of kinds that fit."""
        return h.is_cpu and matrix.is_cpu and h.dtype == matrix.dtype and matrix.dtype in TYPES

    def is_of(self, matrix: Tensor, bias: Tensor) -> bool:
        """Whether these are the weights it was made of, unchanged."""
        return all(
            weight is own and weight._version == version and weight.data_ptr() == address
            for weight, (own, version, address) in zip((matrix, bias), self._made_of, strict=True)
        )

    def __call__(self, h: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """The ``number`` largest log-probabilities and their symbols, best first.

        Of equal ones the lower number comes first.  NaN among the logits makes all NaN.

        Shapes:
            h (N, D) -> (N, number) and (N, number); all V where there are fewer.
        """
        h, number = h.contiguous(), min(number, self._size)
        log_p = h.new_empty(len(h), number)
        symbols = torch.empty(log_p.shape, dtype=torch.long)
        best_symbols(
            ISA,
            len(h),
            self._depth,
            self._size,
            number,
            *(t.data_ptr() for t in (h, self._panel, self._bias, log_p, symbols)),
            self._is_double,
            torch.get_num_threads(),
        )
        return log_p, symbols
