"""The pointer: a word of the translation may be copied from the source."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Pointer"]


class Pointer(nn.Module):
    """A mixture of the vocabulary's distribution and the alignment's.

        p(w) = (1 - g) softmax(w) + g * sum of the shares of the source words equal to w

    A source word that the target's vocabulary lacks counts as ``<unk>`` there, so that an
    ``<unk>`` that was copied can be replaced by the word it is aligned with.

    Gulcehre, Ahn, Nallapati, Zhou & Bengio 2016, equations 6 to 9; See, Liu & Manning 2017,
    equations 8 and 9.

    Args:
        size: width of what the softmax reads.
        targets: (source vocabulary,), the id in the target's vocabulary of each source token.
    """

    def __init__(self, size: int, targets: Tensor) -> None:
        super().__init__()
        self.gate = nn.Linear(size, 1)
        self.targets: Tensor
        self.register_buffer("targets", targets.to(torch.int64, copy=True))

    def losses(
        self, losses: Tensor, hidden: Tensor, alignment: Tensor, source: Tensor, targets: Tensor
    ) -> Tensor:
        """-log p of each target; those of the vocabulary's distribution given.

        Shapes:
            losses, targets (T, B), hidden (T, B, size), alignment (T, B, S), source (S, B).
        """
        same = targets[..., None] == self.targets[source].T
        copied = (alignment * same).sum(-1)
        mixed = _mixture(-losses, copied, self.gate(hidden)[..., 0])
        return (-mixed).masked_fill(targets < 0, 0.0)

    def log_p(self, log_p: Tensor, hidden: Tensor, alignment: Tensor, source: Tensor) -> Tensor:
        """Log-probabilities of the mixture, from those of the vocabulary: (N, V).

        Shapes:
            log_p (N, V), hidden (N, size), alignment (N, S), source (S, N).
        """
        copied = torch.zeros_like(log_p).scatter_add(-1, self.targets[source].T, alignment)
        return _mixture(log_p, copied, self.gate(hidden))


def _mixture(log_p: Tensor, copied: Tensor, gate: Tensor) -> Tensor:
    """log((1 - g) exp(log_p) + g copied), where g is the sigmoid of ``gate``."""
    share = copied.clamp(min=torch.finfo(copied.dtype).tiny).log()
    return torch.logaddexp(F.logsigmoid(-gate) + log_p, F.logsigmoid(gate) + share)
