"""A source that a recurrent layer looks back at: the annotations of its words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from penstock.engines.attention import Annotations
from penstock.errors import ShapeError

__all__ = ["Memory"]


@dataclass(frozen=True)
class Memory:
    """What equations read as ``memory``.

    Args:
        values: one annotation for each source word, (S, B, M).
        lengths: (B,), words of each source; the rest is padding; None: all are words.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> memory = Memory(torch.zeros(7, 2, 5), torch.tensor([7, 4]))
        >>> tuple(memory.select(torch.tensor([1, 1, 0])).values.shape)
        (7, 3, 5)
    """

    values: Tensor
    lengths: Tensor | None = None

    def __post_init__(self) -> None:
        lengths = self.lengths
        fits = lengths is None or lengths.shape == self.values.shape[1:2]
        if self.values.ndim != 3 or not fits:
            got = None if lengths is None else tuple(lengths.shape)
            raise ShapeError(
                "Memory: expected values of shape (S, B, M) and lengths of shape (B,), got "
                f"{tuple(self.values.shape)} and {got}."
            )

    @property
    def steps(self) -> int:
        """S, words of the longest source."""
        return self.values.shape[0]

    @cached_property
    def annotations(self) -> Annotations:
        """As engines take it, zero at padding: whatever stands there must not reach a gradient."""
        rows = self.values.transpose(0, 1)
        if self.lengths is None:
            return Annotations(rows)
        words = self.lengths.to(rows.device, torch.int64)
        mask = Annotations(rows, words).mask
        assert mask is not None
        return Annotations(rows.masked_fill(~mask[..., None], 0), words)

    def select(self, rows: Tensor) -> Memory:
        """The memory of these rows of the batch, in their order; a row may come more than once."""
        lengths = None if self.lengths is None else self.lengths[rows]
        return Memory(self.values[:, rows], lengths)
