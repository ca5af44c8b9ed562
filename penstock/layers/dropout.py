"""Dropout: of entries, of units at all steps of a sequence, or of all uses of a symbol."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from penstock.engines.noise import kept

__all__ = ["dropout", "sequence_dropout", "symbol_vectors"]


def dropout(xs: Tensor, probability: float, training: bool) -> Tensor:
    """Drop entries, each on its own, and scale the others up.

    Source: Srivastava et al. 2014.

    Args:
        xs: of any shape.
        probability: of dropping an entry, in [0, 1).
        training: whether to drop at all.
    """
    if not training or not probability:
        return xs
    return xs * _mask(xs, xs.shape, probability)


def sequence_dropout(xs: Tensor, probability: float, training: bool) -> Tensor:
    """Drop units, the same ones at all steps of a sequence.

    Source: Gal & Ghahramani 2016, section 4.

    Args:
        xs: (T, B, D).
        probability: of dropping a unit of a sequence, in [0, 1).
        training: whether to drop at all.

    Example:
        >>> import torch
        >>> first, second = sequence_dropout(torch.ones(2, 3, 4), 0.5, True)
        >>> torch.equal(first, second)
        True
    """
    if not training or not probability:
        return xs
    return xs * _mask(xs, (1, *xs.shape[1:]), probability)


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
    mask = _mask(vectors, (embedding.num_embeddings,), probability)
    return vectors * mask[ids][..., None]


def _mask(like: Tensor, shape: Sequence[int], probability: float) -> Tensor:
    """1 / (1 - p) where kept, 0 elsewhere."""
    keep = 1 - probability
    return kept(shape, keep, like) / keep
