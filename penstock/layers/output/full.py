"""The full softmax, computed a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.engines.affine import Affine
from penstock.engines.best import BestSymbols, takes
from penstock.engines.entropy import cross_entropy_
from penstock.engines.modes import is_plain, is_transformed
from penstock.engines.precision import FULL, PRECISIONS, rounded
from penstock.engines.product import linear, multiply
from penstock.engines.storage import Snapshot
from penstock.errors import ConfigError
from penstock.layers.output.base import Output, uniform_start

__all__ = ["Softmax", "summed_loss"]

LOGITS = 1 << 23
"""Logits in memory at a time: few beside what a model keeps, enough for a large product."""
FEW = 16
"""Rows up to which a product is faster by the native machine than by PyTorch."""


class _SummedLoss(torch.autograd.Function):
    """Product, log-softmax, cross entropy and their gradient, a block of rows at a time.

    With p = softmax(S h + b) the gradient by the logits is p - q, where q is the target's
    distribution; it is used at once for the gradients by h, S and b and never kept.
    """

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        total, ctx.grads = _loss_and_gradients(h, matrix, bias, targets, smoothing, wanted)
        ctx.save_for_backward(h, matrix, bias, targets)
        ctx.smoothing = smoothing
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # They are scaled in place and handed over; who comes again has them made again.
        grads, ctx.grads = ctx.grads, None
        if grads is None:
            h, matrix, bias, targets = ctx.saved_tensors
            _, grads = _loss_and_gradients(h, matrix, bias, targets, ctx.smoothing, True)
        return (*(made.mul_(grad) for made in grads), None, None)


class _EachLoss(torch.autograd.Function):
    """The cross entropy of every row; the way back computes the logits again, block by block."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        ctx.save_for_backward(h, matrix, bias, targets)
        losses = h.new_empty(len(h))
        for rows in _blocks(len(h), len(matrix)):
            logits = multiply(h[rows], matrix.T, start=bias)
            losses[rows] = cross_entropy_(logits, targets[rows])
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        h, matrix, bias, targets = ctx.saved_tensors
        grads = _gradients(h, matrix, bias)
        for rows in _blocks(len(h), len(matrix)):
            p = multiply(h[rows], matrix.T, start=bias)
            cross_entropy_(p, targets[rows], gradient=True)
            p *= grad[rows, None]
            _add_gradients(grads, rows, p, h, matrix)
        return (*grads, None)


def _loss_and_gradients(
    h: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, smoothing: float, wanted: bool
) -> tuple[Tensor, list[Tensor]]:
    """The summed cross entropy, and its gradients by h, S and b if they are wanted."""
    total = h.new_zeros(())
    grads = _gradients(h, matrix, bias) if wanted else []
    for rows in _blocks(len(h), len(matrix)):
        p = multiply(h[rows], matrix.T, start=bias)
        total += cross_entropy_(p, targets[rows], smoothing=smoothing, gradient=wanted).sum()
        if wanted:
            _add_gradients(grads, rows, p, h, matrix)
    return total, grads


def _gradients(h: Tensor, *weights: Tensor) -> list[Tensor]:
    """What :func:`_add_gradients` fills, from the first row on; zeros where there is none."""
    make = torch.empty_like if len(h) else torch.zeros_like
    return [make(tensor) for tensor in (h, *weights)]


def _add_gradients(grads: list[Tensor], rows: slice, p: Tensor, h: Tensor, matrix: Tensor) -> None:
    """Add what some rows give to the gradients by h, S and b; ``p`` is that by their logits."""
    multiply(p, matrix, out=grads[0][rows])
    before = grads[1] if rows.start else None
    multiply(p.T, h[rows], start=before, out=grads[1])
    grads[2] = grads[2] + p.sum(0) if rows.start else p.sum(0)


def _plain_losses(
    h: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """The cross entropy of every row by PyTorch's operations, for ``torch.func``."""
    logits = F.linear(h, matrix, bias)
    return F.cross_entropy(
        logits, targets, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )


def _blocks(rows: int, vocab_size: int) -> list[slice]:
    """Consecutive rows, in blocks of nearly equal size."""
    count = -(-rows * vocab_size // LOGITS)
    cuts = [rows * number // count for number in range(count + 1)] if count else []
    return [slice(low, high) for low, high in pairwise(cuts) if low < high]


def summed_loss(
    h: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """The summed cross entropy of softmax(matrix h + bias), without all its logits in memory.

    Args:
        smoothing: share of a target's probability that is spread over all symbols.
    """
    if is_transformed():
        return _plain_losses(h, matrix, bias, targets, smoothing).sum()
    total: Tensor = _SummedLoss.apply(h, matrix, bias, targets, smoothing)
    return total


class Softmax(Output):
    """The full softmax: ``y = softmax(S h + b)`` (lecture 002, equation 6).

    Args:
        hidden_size: width of h.
        vocab_size: number of symbols, V.
        projection: width of a linear layer put before S, none when 0.
        tied: the embedding whose matrix (V, E) serves as S too (Press & Wolf 2017; Inan,
            Khosravi & Socher 2017), or None for a matrix of its own.
        smoothing: share of the target's probability that :meth:`loss` spreads evenly over all
            symbols (label smoothing: Szegedy et al. 2016, section 7), in [0, 1).
        counts: see :class:`Output`; of no use here.

    Shapes:
        h (..., hidden_size) -> logits (..., V).

    Raises:
        ConfigError: a tied embedding is not as wide as what it multiplies.
    """

    takes = frozenset({"tied"})

    def __init__(
        self,
        hidden_size: int,
        vocab_size: int,
        *,
        projection: int = 0,
        tied: nn.Embedding | None = None,
        smoothing: float = 0.0,
        counts: Tensor | None = None,
    ) -> None:
        super().__init__(hidden_size, vocab_size, projection=projection, counts=counts)
        if tied is not None and tied.embedding_dim != self.width:
            raise ConfigError(
                f"Softmax: a tied output needs an embedding as wide as the hidden layer or the "
                f"projection, got embedding={tied.embedding_dim} and {self.width}. Set "
                f"embedding={self.width}, or projection={tied.embedding_dim} where there is one."
            )
        if not 0 <= smoothing < 1:
            raise ConfigError(f"Softmax: expected smoothing in [0, 1), got smoothing={smoothing}.")
        self.smoothing = smoothing
        self._tied = (tied,)  # a tuple, so that the embedding's weights are not listed twice
        self.weight = None if tied else nn.Parameter(torch.empty(vocab_size, self.width))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.precision = FULL
        self._snapshot: Snapshot | None = None
        if self.weight is not None:
            uniform_start(self.weight)

    @property
    def matrix(self) -> Tensor:
        """S, (V, width), as products take it."""
        weight, precision = self._matrix, self.precision
        if precision == FULL or torch.is_grad_enabled() or weight.is_inference():
            return rounded(weight, precision)
        found: Tensor = self._kept("matrix", lambda: rounded(weight.detach(), precision))
        return found

    def quantise(self, precision: str) -> Self:
        """Round S to "bfloat16" or "int8", with a scale for each symbol; "float32" ends it.

        See :meth:`penstock.layers.recurrent.Recurrent.quantise`.

        Raises:
            ConfigError: there is no such precision, or the weights are not float32.
        """
        PRECISIONS[precision]
        if precision != FULL and self._matrix.dtype != torch.float32:
            raise ConfigError(
                f"Softmax: weights in {precision} do not run: they stand for float32, and the "
                f"weights are {self._matrix.dtype}."
            )
        self.precision, self._snapshot = precision, None
        return self

    def forward(self, h: Tensor) -> Tensor:
        """Logits of every symbol."""
        h, precision = self.projected(h), self.precision
        if self._is_native(h) and h.numel() <= FEW * self.width:
            product = self._kept("product", lambda: Affine(self._matrix, self.bias, precision))
            logits: Tensor = product(h.reshape(-1, self.width))
            return logits.view(*h.shape[:-1], self.vocab_size)
        return linear(h, self.matrix, self.bias)

    def log_p(self, h: Tensor) -> Tensor:
        """See :meth:`Output.log_p`."""
        return torch.log_softmax(self(h), -1)

    def best(self, h: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """See :meth:`Output.best`; without a gradient no logits are written to memory."""
        if not self._is_native(h):
            return super().best(h, number)
        search = self._kept("best", lambda: BestSymbols(self.matrix, self.bias))
        found: tuple[Tensor, Tensor] = search(self.projected(h), number)
        return found

    @property
    def _matrix(self) -> Tensor:
        """S as it is trained."""
        weight = self.weight if self._tied[0] is None else self._tied[0].weight
        assert weight is not None
        return weight

    def _is_native(self, h: Tensor) -> bool:
        """Whether the native machine may take a product with S."""
        return (
            is_plain(h, self._matrix) and takes(h, self._matrix) and not self._matrix.is_inference()
        )

    def _kept(self, key: str, make: Callable[[], Any]) -> Any:
        """What is made of the weights, until they change."""
        weights = self._matrix, self.bias
        if self._snapshot is None or not self._snapshot.is_of(*weights):
            self._snapshot = Snapshot(*weights)
        return self._snapshot.keep(key, make)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; nothing made of the weights outlives it."""
        self._snapshot = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what is made of the weights."""
        return {**super().__getstate__(), "_snapshot": None}

    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        """See :meth:`Output.losses`; no logits are kept for the gradient."""
        h, matrix, bias = self.projected(h), self.matrix, self.bias
        if is_transformed():
            return _plain_losses(h, matrix, bias, targets)
        losses: Tensor = _EachLoss.apply(h, matrix, bias, targets)
        return losses

    def loss(self, h: Tensor, targets: Tensor) -> Tensor:
        """The sum of :meth:`losses`, labels smoothed in training, without all logits in memory."""
        smoothing = self.smoothing if self.training else 0.0
        return summed_loss(self.projected(h), self.matrix, self.bias, targets, smoothing)
