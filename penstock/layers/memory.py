"""A source that a recurrent layer looks back at: the annotations of its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from penstock.engines.attention import Annotations
from penstock.errors import ShapeError

__all__ = ["Memory"]


@dataclass(frozen=True, eq=False)
class Memory:
    """What equations read as ``memory``.

    Args:
        values: one annotation for each source word, (S, B, M).
        lengths: (B,), words of each source; the rest is padding; None: all are words.
        rows: (N,), the source of each row that looks at it; None: row b looks at source b.
        notes: what layers work out of the values once.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> memory = Memory(torch.zeros(7, 2, 5), torch.tensor([7, 4]))
        >>> memory.select(torch.tensor([1, 1, 0])).batch
        3
    """

    values: Tensor
    lengths: Tensor | None = None
    rows: Tensor | None = None
    notes: dict[Any, Any] = field(default_factory=dict, repr=False)

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

    @property
    def batch(self) -> int:
        """How many rows look at it."""
        return self.values.shape[1] if self.rows is None else len(self.rows)

    @cached_property
    def annotations(self) -> Annotations:
        """As engines take it, a source for each row."""
        if self.rows is None:
            return self.sources
        words = self.sources.words
        return Annotations(
            self.sources.values[self.rows], None if words is None else words[self.rows]
        )

    @cached_property
    def sources(self) -> Annotations:
        """Zero at padding: whatever stands there must not reach a gradient."""
        rows = self.values.transpose(0, 1)
        if self.lengths is None:
            return Annotations(rows)
        words = self.lengths.to(rows.device, torch.int64)
        mask = Annotations(rows, words).mask
        assert mask is not None
        return Annotations(rows.masked_fill(~mask[..., None], 0), words)

    def select(self, rows: Tensor) -> Memory:
        """The memory of these rows, in their order; a row may come more than once."""
        chosen = rows if self.rows is None else self.rows[rows]
        return Memory(self.values, self.lengths, chosen, self.notes)
