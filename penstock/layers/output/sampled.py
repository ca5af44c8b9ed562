"""Training on a sample of the vocabulary; at evaluation these are the full softmax."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.layers.output.full import Softmax

__all__ = ["NoiseContrastive", "SampledSoftmax"]

POWER = 0.75
"""Of the counts in the distribution that is drawn from (Mikolov et al. 2013, section 2.2)."""


class Noise(NamedTuple):
    """The distribution symbols are drawn from."""

    q: Tensor
    """(V,), every entry above 0."""


class Draw(NamedTuple):
    """Symbols drawn with replacement."""

    words: Tensor
    """(M,), each symbol once."""
    times: Tensor
    """(M,), how often it was drawn."""
    expected: Tensor
    """(V,), log(K q), of how often each symbol is drawn on average."""


class _Sampled(Softmax):
    """A softmax whose training loss looks at the targets and at K symbols drawn for them all.

    Args:
        samples: K >= 1, drawn anew by each call from q, the counts to the power of 0.75.
        sparse: whether the gradient holds the vectors of these words alone.
        options: see :class:`Softmax`.
    """

    counted = True
    takes = frozenset({"tied", "samples", "sparse"})

    def __init__(
        self,
        hidden_size: int,
        vocab_size: int,
        *,
        samples: int = 1024,
        sparse: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(hidden_size, vocab_size, **options)
        self.samples, self.sparse = samples, sparse

    def arrange(self) -> Noise:
        """The distribution of the draws."""
        powers = self.counts.clamp(min=1).double() ** POWER
        return Noise(powers / powers.sum())

    def loss(self, h: Tensor, targets: Tensor) -> Tensor:
        """An estimate of the summed loss from K symbols; exact in evaluation mode."""
        if not self.training:
            return super().loss(h, targets)
        h, targets = self.projected(h)[targets >= 0], targets[targets >= 0]
        draw = self._draw(h.dtype)
        both, n = torch.cat([targets, draw.words]), len(targets)
        vectors = F.embedding(both, self.matrix, sparse=self.sparse)
        biases = self.bias[both]
        of_targets = (h * vectors[:n]).sum(-1) + biases[:n]
        of_words = torch.addmm(biases[n:], h, vectors[n:].T)
        return self.estimate(of_targets, of_words, targets, draw)

    @abstractmethod
    def estimate(self, of_targets: Tensor, of_words: Tensor, targets: Tensor, draw: Draw) -> Tensor:
        """The loss from the scores S h + b of the targets (N,) and of the words drawn (N, M)."""

    def _draw(self, dtype: torch.dtype) -> Draw:
        q = self.arrangement.q
        drawn = torch.multinomial(q, self.samples, replacement=True)
        words, times = drawn.unique(return_counts=True)
        return Draw(words, times.to(dtype), (self.samples * q).log().to(dtype))


class SampledSoftmax(_Sampled):
    """The sum over the vocabulary estimated by importance sampling (Jean et al. 2015).

        -log p(t) ~ log( exp(s_t) + sum over draws w != t of exp(s_w) / (K q_w) ) - s_t

    The estimate of the sum has no bias; that of its logarithm falls as 1 / K.
    """

    def estimate(self, of_targets: Tensor, of_words: Tensor, targets: Tensor, draw: Draw) -> Tensor:
        """See the class."""
        scores = of_words + (draw.times.log() - draw.expected[draw.words])
        scores = scores.masked_fill(targets[:, None] == draw.words, -torch.inf)
        scores = torch.cat([of_targets[:, None], scores], -1)
        return (scores.logsumexp(-1) - of_targets).sum()


class NoiseContrastive(_Sampled):
    """Telling the text from noise (Gutmann & Hyvarinen 2010; Mnih & Teh 2012, equation 6).

        -log sigma(s_t - n_t) - sum over draws w of log sigma(n_w - s_w),   n_w = log(Z K q_w)

    with Z fixed to V, the sum that weights near zero give: the scores learn to be normalised. What
    training shows is this loss, not the cross entropy.
    """

    def estimate(self, of_targets: Tensor, of_words: Tensor, targets: Tensor, draw: Draw) -> Tensor:
        """See the class."""
        noise = draw.expected + math.log(self.vocab_size)
        text = F.softplus(noise[targets] - of_targets).sum()
        return text + (F.softplus(of_words - noise[draw.words]) * draw.times).sum()
