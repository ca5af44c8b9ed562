"""A source that a recurrent layer looks back at: the annotations of its words."""

from __future__ import annotations

from dataclasses import dataclass, field
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
        lengths: (B,), words of each source, 0 to S; the rest is padding; None: all are words.
        rows: (N,), the source of each row that looks at it; None: row b looks at source b.
        notes: what is worked out of the values once, whoever looks at them.

    Raises:
        ShapeError: the shapes do not fit, or a length or row lies outside.

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
        if self.values.ndim != 3:
            raise ShapeError(
                f"Memory: expected values of shape (S, B, M), got {tuple(self.values.shape)}."
            )
        steps, batch, _ = self.values.shape
        if self.lengths is not None:
            _check("lengths", self.lengths, steps)
            if len(self.lengths) != batch:
                raise ShapeError(f"Memory: expected {batch} lengths, got {len(self.lengths)}.")
        if self.rows is not None:
            _check("rows", self.rows, batch - 1)
        for name in ("lengths", "rows"):  # as compiled code reads them
            if (numbers := getattr(self, name)) is not None:
                object.__setattr__(self, name, numbers.to(torch.int64).contiguous())

    @property
    def steps(self) -> int:
        """S, words of the longest source."""
        return self.values.shape[0]

    @property
    def batch(self) -> int:
        """How many rows look at it."""
        return self.values.shape[1] if self.rows is None else len(self.rows)

    @property
    def annotations(self) -> Annotations:
        """As engines take it, a source for each row."""
        if self.rows is None:
            return self.sources
        words = self.sources.words
        return Annotations(
            self.sources.values[self.rows], None if words is None else words[self.rows]
        )

    @property
    def sources(self) -> Annotations:
        """Zero at padding: whatever stands there must not reach a gradient."""
        values = self.values.transpose(0, 1)
        if torch.is_grad_enabled() and values.requires_grad:  # a graph lasts for one way back
            return _without_padding(values, self.lengths)
        if "sources" not in self.notes:
            self.notes["sources"] = _without_padding(values, self.lengths)
        found: Annotations = self.notes["sources"]
        return found

    def select(self, rows: Tensor) -> Memory:
        """The memory of these rows, in their order; a row may come more than once."""
        if self.rows is None:
            every = torch.arange(self.values.shape[1], device=self.values.device)
        else:
            every = self.rows
        return Memory(self.values, self.lengths, every[rows], self.notes)


def _without_padding(values: Tensor, lengths: Tensor | None) -> Annotations:
    if lengths is None:
        return Annotations(values)
    words = lengths.to(values.device)
    mask = Annotations(values, words).mask
    assert mask is not None
    return Annotations(values.masked_fill(~mask[..., None], 0), words)


def _check(name: str, numbers: Tensor, most: int) -> None:
    is_whole = numbers.dtype in (torch.int64, torch.int32) and numbers.ndim == 1
    if not is_whole or ((numbers < 0) | (numbers > most)).any():
        raise ShapeError(
            f"Memory: expected {name} as a tensor of whole numbers from 0 to {most}, got {numbers}."
        )
