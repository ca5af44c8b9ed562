"""What a step computes over the words of a source, with PyTorch.

A value with a column for each source word, ("A", "S") in a program, is a tensor (..., S, A): the
words side by side, each with its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.engines.product import linear

__all__ = ["Annotations", "beside", "matmul", "outer", "positions", "softmax"]


@dataclass(frozen=True)
class Annotations:
    """What a program reads as ``memory``.

    Attributes:
        values: (B, S, M), zero at padding.
        words: (B,), how many words each source has, the rest is padding; None: all have S.
    """

    values: Tensor
    words: Tensor | None = None

    @cached_property
    def mask(self) -> Tensor | None:
        """(B, S), True = a source word; None: all are."""
        if self.words is None:
            return None
        return torch.arange(self.values.shape[1], device=self.words.device) < self.words[:, None]


def matmul(
    left: Tensor, right: Tensor, ranks: tuple[int, int], columns: tuple[bool, bool]
) -> Tensor:
    """The product of two values of a program.

    Args:
        left, right: the values; without sequences where weights alone make them.
        ranks: of the values for one sequence.
        columns: whether each has a column for each source word.
    """
    if columns[0]:  # a weighted sum of the columns
        return (right.unsqueeze(-2) @ left).squeeze(-2)
    if ranks[0] == 1:  # a vector with every column
        return (right @ left.unsqueeze(-1)).squeeze(-1)
    is_matrix = ranks[1] == 2 and not columns[1]
    return left @ right if is_matrix else linear(right, left)


def beside(value: Tensor, rank: int) -> Tensor:
    """A vector or scalar as it goes with every column."""
    return value.unsqueeze(-2) if rank < 2 and value.ndim else value


def outer(vector: Tensor, entries: Tensor) -> Tensor:
    """(..., A) and (..., S) to (..., S, A)."""
    return vector.unsqueeze(-2) * entries.unsqueeze(-1)


def positions(vector: Tensor, count: int) -> Tensor:
    """The first ``count`` entries (..., S); what is not there is the least number."""
    missing = max(0, count - vector.shape[-1])
    return F.pad(vector[..., :count], (0, missing), value=torch.finfo(vector.dtype).min)


def softmax(energies: Tensor, mask: Tensor | None) -> Tensor:
    """Shares of the source words (..., S), 0 at padding; all 0 where there is no word."""
    if mask is None:
        return torch.softmax(energies, -1)
    shares = torch.softmax(energies.masked_fill(~mask, torch.finfo(energies.dtype).min), -1)
    return shares.masked_fill(~mask, 0)
