"""What PyTorch is about to do with the numbers: differentiate, transform or compile."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["is_plain", "is_transformed", "wants_gradient"]


def wants_gradient(tensors: Sequence[Tensor]) -> bool:
    """Whether what is computed from tensors is to be differentiated."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def is_transformed() -> bool:
    """Whether ``torch.func`` (vmap, grad, jvp) or forward-mode differentiation is at work.

    Its tensors have no numbers in memory to point at, or a tangent beside them: only PyTorch's own
    operations take them.
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_plain() -> bool:
    """Whether tensors are numbers in memory and no more: no gradient, no graph of operations."""
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling() or is_transformed())
