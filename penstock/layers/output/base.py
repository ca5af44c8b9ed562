"""What every output layer does: probabilities, exact losses, and a loss to train with."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

__all__ = ["Output", "by_frequency", "largest", "uniform_start"]


class Output(nn.Module):
    """From hidden vectors to the probability of every symbol.

    Args:
        hidden_size: width of h.
        vocab_size: number of symbols, V.
        projection: width of a linear layer before everything else, none when 0.
        counts: (V,), occurrences of each symbol in the training text, which layers that are
            ``counted`` save with their weights; all alike when None.
    """

    counted: ClassVar[bool] = False
    """Whether the layer is arranged by how often each symbol occurs."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """Names of its own options."""

    def __init__(
        self,
        hidden_size: int,
        vocab_size: int,
        *,
        projection: int = 0,
        counts: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(hidden_size, projection) if projection else None
        self.width, self.vocab_size = projection or hidden_size, vocab_size
        self.counts: Tensor
        if self.counted:
            counts = torch.ones(vocab_size) if counts is None else counts
            self.register_buffer("counts", counts.to(torch.int64, copy=True))
            self.register_load_state_dict_post_hook(_forget)
        self._arranged: Any = None

    @abstractmethod
    def log_p(self, h: Tensor) -> Tensor:
        """Log-probabilities that sum to one: h (..., hidden_size) -> (..., V)."""

    def best(self, h: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """The largest log-probabilities and their symbols, best first: (N, hidden_size) -> (N, n).

        n is ``number``, or V where there are fewer.
        """
        return largest(self.log_p(h), number)

    @abstractmethod
    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        """-log p of each target in nats, exact (lecture 002, equation 7).

        Args:
            h: (N, hidden_size).
            targets: (N,), symbol ids; -1 counts nothing.
        """

    def loss(self, h: Tensor, targets: Tensor) -> Tensor:
        """What training descends: the sum of :meth:`losses`, or an estimate of it."""
        return self.losses(h, targets).sum()

    def projected(self, h: Tensor) -> Tensor:
        """What the symbols' vectors are multiplied with, (..., width)."""
        return self.project(h) if self.project else h

    def arrange(self) -> Any:
        """What follows from the counts: a named tuple of tensors."""
        raise NotImplementedError

    @property
    def arrangement(self) -> Any:
        """What :meth:`arrange` gave, made when it is first needed."""
        if self._arranged is None or self._arranged[0].device != self.counts.device:
            self._arranged = self.arrange()
        return self._arranged


def _forget(module: Output, keys: Any) -> None:
    """Loaded counts ask for a new arrangement."""
    module._arranged = None


def largest(log_p: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The ``number`` largest of each row and their places, best first; all where there are fewer.

    Shapes:
        (N, V) -> (N, number) and (N, number)
    """
    found = log_p.topk(min(number, log_p.shape[-1]))
    return found.values, found.indices


def by_frequency(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols from the most frequent on, and the place of each symbol in that order.

    >>> [order.tolist() for order in by_frequency(torch.tensor([1, 7, 3, 7]))]
    [[1, 3, 2, 0], [3, 0, 2, 1]]
    """
    order = counts.argsort(descending=True, stable=True)
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device)
    return order, places


def uniform_start(matrix: Tensor) -> None:
    """Draw a matrix from [-1/sqrt(width), 1/sqrt(width)], as ``nn.Linear`` does."""
    bound = matrix.shape[1] ** -0.5
    nn.init.uniform_(matrix, -bound, bound)
