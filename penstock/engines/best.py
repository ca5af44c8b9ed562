"""The most probable symbols of a softmax, found without its logits in memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock._native import best_symbols, pack_symbols
from penstock.engines.instructions import TILE
from penstock.engines.machine import ISA, TYPES

__all__ = ["BestListed", "BestSymbols", "takes"]


def takes(h: Tensor, matrix: Tensor) -> bool:
    """Whether these tensors are of kinds that fit."""
    return h.is_cpu and matrix.is_cpu and h.dtype == matrix.dtype and matrix.dtype in TYPES


class BestSymbols:
    """A softmax ``softmax(matrix h + bias)`` with its weights as they were when it was made.

    Product, sum of exponentials and choice go over a tile of symbols and a block of rows at a
    time.  The numbers do not depend on the number of threads.

    Args:
        matrix: (V, D), on the CPU, float32 or float64.
        bias: (V,).
    """

    def __init__(self, matrix: Tensor, bias: Tensor) -> None:
        self._panel = _Panel(matrix.detach(), bias.detach())

    def __call__(self, h: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """The ``number`` largest log-probabilities and their symbols, best first.

        Of equal ones the lower number comes first.  NaN among the logits makes all NaN.

        Shapes:
            h (N, D) -> (N, number) and (N, number); all V where there are fewer.
        """
        return self._panel.best(h, min(number, self._panel.size))


class BestListed:
    """The same where a row has some of the symbols only.

    Args:
        matrix, bias: of all symbols, as they are now.
        listed: (L, V) bool, the symbols of each list, at least one.
    """

    def __init__(self, matrix: Tensor, bias: Tensor, listed: Tensor) -> None:
        sizes = listed.sum(1)
        tiled = (sizes + TILE - 1) // TILE * TILE
        self._starts = F.pad(tiled.cumsum(0), (1, 0))
        shifts = self._starts[:-1] - (sizes.cumsum(0) - sizes)
        places = torch.arange(int(sizes.sum())) + shifts.repeat_interleave(sizes)
        self._symbols = sizes.new_zeros(int(self._starts[-1]))
        self._symbols[places] = symbols = listed.nonzero()[:, 1]
        own = bias.new_full((len(self._symbols),), -torch.inf)
        own[places] = bias.detach()[symbols]
        self._panel = _Panel(matrix.detach(), own, self._symbols)

    def __call__(self, h: Tensor, lists: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """As of :class:`BestSymbols`; where a list has fewer symbols the rest are impossible.

        Args:
            h: (N, D).
            lists: (N,), the list of each row; those of one list stand together.
        """
        lists = lists.contiguous()
        return self._panel.best(h, number, lists, self._starts, self._symbols)


class _Panel:
    """Rows of a matrix, all or those listed, in the order in which they are read: whole tiles."""

    def __init__(self, matrix: Tensor, bias: Tensor, listed: Tensor | None = None) -> None:
        self.size, self._depth = len(bias), matrix.shape[1]
        padded = -(-self.size // TILE) * TILE
        self._weights = matrix.new_empty(padded * self._depth)
        self._bias = F.pad(bias, (0, padded - self.size), value=-torch.inf)
        matrix = matrix.contiguous()
        pack_symbols(
            ISA,
            matrix.data_ptr(),
            0 if listed is None else listed.data_ptr(),
            self.size,
            self._depth,
            self._weights.data_ptr(),
            self._is_double,
            torch.get_num_threads(),
        )

    @property
    def _is_double(self) -> bool:
        return self._bias.dtype == torch.float64

    def best(self, h: Tensor, number: int, *lists: Tensor) -> tuple[Tensor, Tensor]:
        h = h.contiguous()
        log_p = h.new_empty(len(h), number)
        symbols = torch.empty(log_p.shape, dtype=torch.long)
        best_symbols(
            ISA,
            len(h),
            self._depth,
            self.size,
            number,
            *(t.data_ptr() for t in (h, self._weights, self._bias, log_p, symbols)),
            *([tensor.data_ptr() for tensor in lists] or (0, 0, 0)),
            self._is_double,
            torch.get_num_threads(),
        )
        return log_p, symbols
