"""The cross entropy of a softmax and its gradient, in place of the logits."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock._native import cross_entropy
from penstock.engines.machine import ISA
from penstock.engines.modes import is_recorded

__all__ = ["cross_entropy_"]


def cross_entropy_(
    logits: Tensor, targets: Tensor, *, smoothing: float = 0.0, gradient: bool = False
) -> Tensor:
    """The loss of each row, ``-sum_v q_v log softmax(logits)_v``.

    q is the target's distribution: 1 - smoothing of it and an equal share of the rest for every
    symbol. On a CPU float32 is computed while a row is in the cache, by our own exponential.

    Args:
        logits: (N, V), spoilt; with ``gradient`` they become softmax(logits) - q.
        targets: (N,), less than 0 where a row does not count: its loss and gradient are 0.

    Returns:
        (N,).

    Raises:
        IndexError or RuntimeError: a target is no symbol.
    """
    is_native = logits.dtype == torch.float32 and logits.is_cpu and logits.is_contiguous()
    if is_native and not is_recorded(logits, targets):
        losses, targets = logits.new_empty(len(logits)), targets.long().contiguous()
        cross_entropy(
            ISA, *logits.shape, logits.data_ptr(), targets.data_ptr(), smoothing, gradient,
            losses.data_ptr(), torch.get_num_threads(),
        )  # fmt: skip
        return losses
    return _by_pytorch(logits, targets, smoothing, gradient)


def _by_pytorch(logits: Tensor, targets: Tensor, smoothing: float, gradient: bool) -> Tensor:
    chosen = targets.clamp(min=0)[:, None]
    counted = (targets >= 0)[:, None].to(logits)
    share = smoothing / logits.shape[1]
    logits.sub_(logits.amax(-1, keepdim=True))
    reached = (1 - smoothing) * logits.gather(-1, chosen)
    if smoothing:
        reached += share * logits.sum(-1, keepdim=True)
    p = logits.exp_()  # one exponential for the sum and for the gradient
    z = p.sum(-1, keepdim=True)
    if gradient:
        p.mul_(counted / z).scatter_add_(-1, chosen, (smoothing - 1) * counted)
        if smoothing:
            p.sub_(share * counted)
    return ((z.log() - reached) * counted).squeeze(-1)
