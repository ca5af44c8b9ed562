"""Output layers: from hidden vectors to the probability of every symbol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.errors import ConfigError

__all__ = ["Softmax"]


ROWS = 128
"""Rows of the logits that are in memory at a time: few enough to stay in cache."""


class _SummedLoss(torch.autograd.Function):
    """Product, log-softmax, cross entropy and their gradient, a block of rows at a time.

    With p = softmax(S h + b) the gradient by the logits is p - onehot(target); it is used
    at once for the gradients by h, S and b and never kept.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        real = targets >= 0
        total = h.new_zeros(())
        wanted = any(ctx.needs_input_grad)
        grads = [torch.zeros_like(tensor) for tensor in (h, matrix, bias)] if wanted else []
        for start in range(0, len(h), ROWS):
            rows = slice(start, start + ROWS)
            logits = torch.addmm(bias, h[rows], matrix.T)
            chosen = targets[rows].clamp(min=0)[:, None]
            log_z = logits.logsumexp(-1, keepdim=True)
            total += ((log_z - logits.gather(-1, chosen))[:, 0] * real[rows]).sum()
            if wanted:
                p = logits.sub_(log_z).exp_()
                p.scatter_add_(-1, chosen, torch.full_like(log_z, -1.0))
                p *= real[rows, None]
                torch.mm(p, matrix, out=grads[0][rows])
                grads[1].addmm_(p.T, h[rows])
                grads[2] += p.sum(0)
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*(saved * grad for saved in ctx.saved_tensors), None)


class Softmax(nn.Module):
    """The full softmax: ``y = softmax(S h + b)`` (lecture 002, equation 6).

    Args:
        hidden_size: width of h.
        vocab_size: number of symbols, V.
        projection: width of a linear layer put before S, none when 0.
        tied: gives the embedding matrix (V, E) that serves as S too (Press & Wolf 2017;
            Inan, Khosravi & Socher 2017), or None for a matrix of its own.

    Shapes:
        h (..., hidden_size) -> logits (..., V).

    Raises:
        ConfigError: a tied embedding is not as wide as what it multiplies.
    """

    def __init__(
        self,
        hidden_size: int,
        vocab_size: int,
        *,
        projection: int = 0,
        tied: Callable[[], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(hidden_size, projection) if projection else None
        width = projection or hidden_size
        if tied is not None and tied().shape[1] != width:
            raise ConfigError(
                f"Softmax: a tied output needs an embedding as wide as the hidden layer or the "
                f"projection, got embedding={tied().shape[1]} and {width}. "
                f"Set projection={tied().shape[1]} or embedding={width}."
            )
        self._tied = tied
        self.weight = None if tied else nn.Parameter(torch.empty(vocab_size, width))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        if self.weight is not None:
            nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)

    def forward(self, h: Tensor) -> Tensor:
        """Logits of every symbol."""
        return F.linear(self._projected(h), self._matrix(), self.bias)

    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of each target in nats (lecture 002, equation 7).

        Args:
            h: (N, hidden_size).
            targets: (N,), symbol ids; -1 counts nothing.
        """
        starts = range(0, max(len(h), 1), ROWS)
        blocks = ((self(h[i : i + ROWS]), targets[i : i + ROWS]) for i in starts)
        return torch.cat(
            [F.cross_entropy(z, y, ignore_index=-1, reduction="none") for z, y in blocks]
        )

    def loss(self, h: Tensor, targets: Tensor) -> Tensor:
        """The sum of :meth:`losses`, without the (N, V) matrix in memory: for training."""
        return _SummedLoss.apply(self._projected(h), self._matrix(), self.bias, targets)

    def _projected(self, h: Tensor) -> Tensor:
        return self.project(h) if self.project else h

    def _matrix(self) -> Tensor:
        if self._tied is not None:
            return self._tied()
        assert self.weight is not None
        return self.weight
