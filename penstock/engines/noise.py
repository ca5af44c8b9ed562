"""Masks for the random functions of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from penstock.engines.modes import is_recorded, is_transformed
from penstock.equations.program import Program

__all__ = ["draw", "kept"]


def kept(shape: Sequence[int], probability: float, like: Tensor) -> Tensor:
    """Ones with a probability and zeros, as the type and on the device of ``like``.

    On a CPU the numbers come from NumPy's SFC64, five times as fast as ``torch.bernoulli``; it is
    seeded anew each time, from PyTorch's default generator.

    >>> kept((2, 3), 1.0, torch.zeros(()))
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    if not like.is_cpu or is_recorded(like) or is_transformed():
        return torch.bernoulli(like.new_full(tuple(shape), probability))
    seed = int(torch.randint(2**63 - 1, ()))
    drawn = np.random.Generator(np.random.SFC64(seed)).random(tuple(shape), dtype=np.float32)
    return torch.from_numpy(np.asarray(drawn < probability)).to(like.dtype)


def draw(
    program: Program, sizes: Mapping[str, int], steps: int, batch: int, like: Tensor
) -> dict[str, Tensor]:
    """Draw the masks a program reads, from PyTorch's default generator.

    Args:
        program: made by :func:`penstock.equations.chance.training`.
        sizes: every size by name.
        steps: T.
        batch: B.
        like: a tensor of the wanted type and device.

    Returns:
        Noise name to a tensor of ones (keep) and zeros: (B, size) per sequence,
        (T, B, size) per step, a weight's own shape; the size of a scalar is 1.
    """
    leading = {"sequence": (batch,), "step": (steps, batch), "weight": ()}
    masks = {}
    for noise in program.noises:
        shape = (*leading[noise.per], *([sizes[size] for size in noise.shape] or [1]))
        masks[noise.name] = kept(shape, 1 - noise.value, like)
    return masks
