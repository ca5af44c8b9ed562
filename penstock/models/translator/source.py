"""A batch of source sentences as an encoder has read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from penstock.layers.memory import Memory

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """What a decoder may know of its sources.

    Attributes:
        ids: (S, B), the words.
        memory: one annotation for each word, in the order of the words.
        summary: (B, M), the output after each sentence's last step; of both directions.
        states: of every layer, name to (B, directions x size), after the last step.
    """

    ids: Tensor
    memory: Memory
    summary: Tensor
    states: tuple[dict[str, Tensor], ...]

    def select(self, rows: Tensor) -> Source:
        """Those of some rows of the batch; a row may come more than once."""
        return replace(
            self,
            ids=self.ids[:, rows],
            memory=self.memory.select(rows),
            summary=self.summary[rows],
            states=tuple({n: state[rows] for n, state in one.items()} for one in self.states),
        )
