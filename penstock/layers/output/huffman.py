"""A binary tree over the vocabulary: a word is a path of yes and no."""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.engines.product import linear
from penstock.layers.output.base import Output, uniform_start

__all__ = ["HierarchicalSoftmax", "huffman"]


class Paths(NamedTuple):
    """The way from each symbol up to the root."""

    nodes: Tensor
    """(V, depth), inner nodes from the one above the symbol; -1 after the root."""
    signs: Tensor
    """(V, depth), +1 or -1 for the side the way goes; 0 after the root."""


class HierarchicalSoftmax(Output):
    """p(w) = product over the nodes n above w of sigma(+-(v_n h + b_n)).

    The tree is Huffman's, so that frequent symbols have short ways: about log2 V products instead
    of V (Morin & Bengio 2005; Mikolov et al. 2013, equation 3).

    Args:
        hidden_size, vocab_size, projection, counts: see :class:`Output`.
        sparse: whether the gradient holds the vectors of the nodes on the way alone.
    """

    counted = True
    takes = frozenset({"sparse"})

    def __init__(
        self, hidden_size: int, vocab_size: int, *, sparse: bool = False, **options: Any
    ) -> None:
        super().__init__(hidden_size, vocab_size, **options)
        self.sparse = sparse
        self.weight = nn.Parameter(torch.empty(vocab_size - 1, self.width))
        self.bias = nn.Parameter(torch.zeros(vocab_size - 1))
        uniform_start(self.weight)

    def arrange(self) -> Paths:
        """The paths in Huffman's tree."""
        above, side = (torch.tensor(part) for part in huffman(self.counts.clamp(min=1).tolist()))
        at = torch.arange(self.vocab_size)
        root, nodes, signs = len(above) - 1, [], []
        while bool((at != root).any()):
            ended = at == root
            nodes.append((above[at] - self.vocab_size).masked_fill(ended, -1))
            signs.append(side[at].masked_fill(ended, 0))
            at = above[at].where(~ended, at)
        if not nodes:
            return Paths(*(torch.empty(self.vocab_size, 0, dtype=torch.int32) for _ in "ns"))
        device = self.counts.device
        return Paths(*(torch.stack(part, -1).int().to(device) for part in (nodes, signs)))

    def log_p(self, h: Tensor) -> Tensor:
        """See :meth:`Output.log_p`."""
        paths = self.arrangement
        scores = linear(self.projected(h), self.weight, self.bias)
        log_p = h.new_zeros(*h.shape[:-1], self.vocab_size)
        for nodes, signs in zip(paths.nodes.T.long(), paths.signs.T, strict=True):
            inside = nodes >= 0
            log_p[..., inside] += F.logsigmoid(scores[..., nodes[inside]] * signs[inside])
        return log_p

    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        """See :meth:`Output.losses`."""
        paths, h = self.arrangement, self.projected(h)
        nodes = paths.nodes[targets.clamp(min=0)].masked_fill(targets[:, None] < 0, -1)
        rows, levels = (nodes >= 0).nonzero(as_tuple=True)
        nodes, signs = nodes[rows, levels], paths.signs[targets[rows], levels]
        vectors = F.embedding(nodes, self.weight, sparse=self.sparse)
        scores = (F.embedding(rows, h) * vectors).sum(-1)
        scores = scores + self.bias[nodes]
        return h.new_zeros(len(h)).index_add(0, rows, F.softplus(-signs * scores))


def huffman(counts: list[int]) -> tuple[list[int], list[int]]:
    """The parent of each node of Huffman's tree, and the side it hangs on, +1 or -1.

    The symbols are nodes 0 to V-1, the inner nodes V to 2V-2; the last is the root, its own parent.

    >>> huffman([5, 1, 1, 2])
    ([6, 4, 4, 5, 5, 6, 6], [1, -1, 1, -1, 1, -1, 0])
    """
    size = len(counts)
    queue = [(count, node) for node, count in enumerate(counts)]
    heapq.heapify(queue)
    above, side = list(range(2 * size - 1)), [0] * (2 * size - 1)
    for node in range(size, 2 * size - 1):
        (low, left), (high, right) = heapq.heappop(queue), heapq.heappop(queue)
        above[left] = above[right] = node
        side[left], side[right] = -1, 1
        heapq.heappush(queue, (low + high, node))
    return above, side
