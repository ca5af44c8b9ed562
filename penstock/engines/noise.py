"""Masks for the random functions of a program."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from penstock.equations.program import Program

__all__ = ["draw"]


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
        keep = torch.full(shape, 1 - noise.value, dtype=like.dtype, device=like.device)
        masks[noise.name] = torch.bernoulli(keep)
    return masks
