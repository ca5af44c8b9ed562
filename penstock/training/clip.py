"""Clipping: a gradient that explodes is made small before it can spoil the weights.

All functions change the gradients in place and return what was there before.  They take plain
tensors, so views into one fused gradient are clipped as well as a module's own parameters; a sparse
gradient must be coalesced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, nn
from torch.nn.utils import get_total_norm

__all__ = [
    "NamedGradients",
    "clip_each",
    "clip_norm",
    "clip_value",
    "entries",
    "global_norm",
    "named_gradients",
]

NamedGradients = Callable[[], Mapping[str, Tensor]]
"""Gives every gradient under its name, as tensors or views that can be changed in place."""


def named_gradients(model: nn.Module) -> NamedGradients:
    """The gradients of a module's parameters under the parameters' names."""

    def gradients() -> dict[str, Tensor]:
        named = model.named_parameters()
        return {name: weight.grad for name, weight in named if weight.grad is not None}

    return gradients


def entries(gradient: Tensor) -> Tensor:
    """The entries of a gradient that are stored: all, or those of a sparse one's rows."""
    return gradient.values() if gradient.is_sparse else gradient


def global_norm(gradients: Iterable[Tensor]) -> float:
    """The Euclidean norm of all gradients taken as one vector.

    >>> import torch
    >>> global_norm([torch.tensor([3.0]), torch.tensor([[4.0]])])
    5.0
    """
    return float(get_total_norm(list(map(entries, gradients))))


def clip_norm(gradients: Iterable[Tensor], threshold: float, norm: float | None = None) -> float:
    """Scale all gradients together so that their joint norm is at most ``threshold``.

        if ||g|| >= threshold:  g = threshold / ||g|| * g

    A norm that is not finite is returned and nothing is changed.

    Args:
        norm: ||g||, where it is known already.

    Returns:
        ||g|| before clipping.

    References:
        Pascanu, Mikolov & Bengio 2013, algorithm 1; lecture 002, algorithm 1; lecture 003.
    """
    gradients = list(gradients)
    norm = global_norm(gradients) if norm is None else norm
    if threshold <= norm < math.inf:
        for gradient in gradients:
            entries(gradient).mul_(threshold / norm)
    return norm


def clip_each(gradients: Mapping[str, Tensor], threshold: float) -> dict[str, float]:
    """Scale each gradient on its own so that its norm is at most ``threshold``.

    Returns:
        The norm of each before clipping, under its name.
    """
    return {name: clip_norm([gradient], threshold) for name, gradient in gradients.items()}


def clip_value(gradients: Iterable[Tensor], threshold: float) -> float:
    """Cut every entry of the gradients to ``[-threshold, threshold]``.

    Returns:
        The joint norm before clipping.
    """
    gradients = list(gradients)
    norm = global_norm(gradients)
    for gradient in gradients:
        entries(gradient).clamp_(-threshold, threshold)
    return norm
