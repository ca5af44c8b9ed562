"""The vectors of a side's words, and what is dropped of them in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from penstock.layers.dropout import dropout

__all__ = ["Words"]


class Words(nn.Module):
    """An embedding with dropout of units and of whole words.

    Args:
        vocab_size: number of tokens, V.
        size: width of a token's vector, E.
        dropout: probability of dropping a unit.
        word_dropout: probability of dropping a whole word (Gal & Ghahramani 2016, section 4.2;
            Sennrich, Haddow & Birch 2016, section 2.3).
        shared: the other side's, whose matrix serves this side too.

    Shapes:
        ids (T, B) -> (T, B, E).
    """

    def __init__(
        self,
        vocab_size: int,
        size: int,
        *,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        shared: Words | None = None,
    ) -> None:
        super().__init__()
        embedding = shared.embedding if shared else nn.Embedding(vocab_size, size)
        if not shared:
            nn.init.normal_(embedding.weight, std=size**-0.5)
            self.own = embedding
        self._embedding = (embedding,)  # a tuple, so that shared weights are not listed twice
        self.dropout, self.word_dropout = dropout, word_dropout

    @property
    def embedding(self) -> nn.Embedding:
        """One vector for each token."""
        return self._embedding[0]

    def forward(self, ids: Tensor) -> Tensor:
        """The vectors of words, with dropout in training."""
        xs = dropout(self.embedding(ids), self.dropout, self.training)
        if self.training and self.word_dropout:
            kept = torch.rand(ids.shape, device=xs.device) >= self.word_dropout
            xs = xs * kept[..., None] / (1 - self.word_dropout)
        return xs
