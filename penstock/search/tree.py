"""The tree of a beam search: every continuation that was compared, and what became of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from penstock.search.continuations import Continuations

__all__ = ["Node", "Recorder", "Tree"]


class Recorder(Protocol):
    """Is told of every continuation that a search compared."""

    def add(
        self,
        step: int,
        beams: Tensor,
        found: Continuations,
        log_p: Tensor,
        ended: Tensor,
        keep: Tensor,
    ) -> None:
        """One step of the beams (R,): log_p and ended (R, k) of those found, and which (R, K) of
        them go on."""


@dataclass(frozen=True)
class Node:
    """One continuation.

    Attributes:
        parent: its place in the list of nodes, -1 for the beginning.
        step: how many symbols were before.
        symbol: its id.
        log_p: of the symbol, in nats.
        total: of the hypothesis up to it.
        fate: "kept", "finished" or "pruned".
    """

    parent: int
    step: int
    symbol: int
    log_p: float
    total: float
    fate: str


class Tree:
    """A recorder that keeps the nodes of each beam, a parent before its children.

    Attributes:
        nodes: of each beam; beams are numbered sentence by sentence, group by group.

    Args:
        eos_id: the symbol that ends a sequence.
    """

    def __init__(self, eos_id: int) -> None:
        self.eos_id = eos_id
        self.nodes: dict[int, list[Node]] = {}
        self._open: dict[int, list[int]] = {}

    def add(
        self,
        step: int,
        beams: Tensor,
        found: Continuations,
        log_p: Tensor,
        ended: Tensor,
        keep: Tensor,
    ) -> None:
        """See :class:`Recorder`."""
        rows = [table.tolist() for table in (beams, *found, log_p, ended, keep)]
        for beam, totals, slots, symbols, log_ps, ends, kept in zip(*rows, strict=True):
            nodes, parents = self.nodes.setdefault(beam, []), self._open.get(beam, [-1])
            places = {}
            for n, total in enumerate(totals):
                if total == -math.inf:
                    continue
                going = n in kept and symbols[n] != self.eos_id
                fate = "finished" if ends[n] else "kept" if going else "pruned"
                places[n] = len(nodes)
                nodes.append(Node(parents[slots[n]], step, symbols[n], log_ps[n], total, fate))
            self._open[beam] = [places.get(n, -1) for n in kept]
