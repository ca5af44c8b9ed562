"""Dropout with masks that are shared: by all steps of a sequence, or by all uses of a symbol."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["sequence_dropout", "symbol_vectors"]


def sequence_dropout(xs: Tensor, probability: float, training: bool) -> Tensor:
    """Drop units, the same ones at all steps of a sequence.

    Source: Gal & Ghahramani 2016, section 4.

    Args:
        xs: (T, B, D).
        probability: of dropping a unit of a sequence, in [0, 1).
        training: whether to drop at all.

    Example:
        >>> first, second = sequence_dropout(torch.ones(2, 3, 4), 0.5, True)
        >>> torch.equal(first, second)
        True
    """
    if not training or not probability:
        return xs
    return xs * _mask(xs.new_empty(1, *xs.shape[1:]), probability)


def symbol_vectors(
    embedding: nn.Embedding, ids: Tensor, probability: float, training: bool
) -> Tensor:
    """Vectors of symbols, where some symbols are dropped wherever they occur.

    Source: Gal & Ghahramani 2016, section 4.2 (word embeddings).

    Shapes:
        ids (...) -> (..., E)
    """
    vectors: Tensor = embedding(ids)
    if not training or not probability:
        return vectors
    mask = _mask(vectors.new_empty(embedding.num_embeddings), probability)
    return vectors * mask[ids][..., None]


def _mask(like: Tensor, probability: float) -> Tensor:
    """1 / (1 - p) where kept, 0 elsewhere."""
    keep = 1 - probability
    return torch.bernoulli(torch.full_like(like, keep)) / keep
