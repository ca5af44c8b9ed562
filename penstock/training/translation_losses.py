"""What a translator's loss may add to cross entropy, and what it may read in place of the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock.models.translator import Features, Translator

__all__ = ["coverage_loss", "guided_loss", "own_words"]


def coverage_loss(alignment: Tensor) -> Tensor:
    """How much attention goes where attention has been (See, Liu & Manning 2017, equation 12).

        sum over t and s of min(a[t, s], sum of a[t', s] over t' < t)

    Shapes:
        alignment (T, B, S), zero at padding -> a scalar.
    """
    before = alignment.cumsum(0) - alignment
    return torch.minimum(alignment, before).sum()


def guided_loss(alignment: Tensor, links: Tensor) -> Tensor:
    """Cross entropy of the alignment against given links (Chen, Matusov, Khadivi & Peter 2016).

        - sum over t and s of q[t, s] log a[t, s]

    where q spreads the links of a word of the translation evenly; a word without any counts
    nothing.

    Shapes:
        alignment (T, B, S), links (T, B, S) bool -> a scalar.
    """
    shares = links / links.sum(-1, keepdim=True).clamp(min=1)
    return -(shares * alignment.clamp(min=torch.finfo(alignment.dtype).tiny).log()).sum()


@torch.no_grad()
def own_words(model: Translator, features: Features, inputs: Tensor, share: float) -> Tensor:
    """The words before each word, some of them the model's own instead of the true ones.

    Scheduled sampling (Bengio, Vinyals, Jaitly & Shazeer 2015) for all steps at once: the model's
    words are those it finds likeliest after the true ones (Duckworth et al. 2019, one pass).

    Args:
        features: what the model computed from ``inputs``.
        inputs: the true words before each word, (T, B), ``<eos>`` first.
        share: probability that a word is the model's, in [0, 1).
    """
    hidden = features.hidden[:-1]
    likeliest = torch.stack([model.output.log_p(step).argmax(-1) for step in hidden])
    taken = torch.rand(likeliest.shape, device=inputs.device) < share
    return torch.cat([inputs[:1], torch.where(taken, likeliest, inputs[1:])])
