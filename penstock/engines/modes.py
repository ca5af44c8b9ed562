"""What PyTorch is about to do with the numbers: differentiate, transform or record."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

__all__ = ["is_plain", "is_recorded", "is_transformed", "wants_gradient"]

_ORDINARY = (Tensor, nn.Parameter)


def wants_gradient(tensors: Sequence[Tensor]) -> bool:
    """Whether what is computed from tensors is to be differentiated."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def is_recorded(*tensors: Tensor) -> bool:
    """Whether operations are recorded, or played through without numbers, rather than run.

    Compilers, exporters and tracers do so, and modes such as ``FakeTensorMode``: they are to see
    operators. Tensors of a class of their own bring such a mode with them.
    """
    if torch.compiler.is_compiling() or torch._C._is_tracing():
        return True
    if torch._C._len_torch_dispatch_stack() > 0:
        return True
    return not all(type(tensor) in _ORDINARY for tensor in tensors)


def is_transformed() -> bool:
    """Whether ``torch.func`` (vmap, grad, jvp) or forward-mode differentiation is at work.

    Its tensors have no numbers in memory to point at, or a tangent beside them: only PyTorch's own
    operations take them.
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_plain(*tensors: Tensor) -> bool:
    """Whether tensors are numbers in memory and no more: no gradient, no graph of operations."""
    return not (torch.is_grad_enabled() or is_recorded(*tensors) or is_transformed())
