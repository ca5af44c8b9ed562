"""The gradient of many weights that lie in one tensor, made where it is to lie."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from penstock.engines.modes import is_recorded, is_transformed, wants_gradient

__all__ = ["Gathered", "parts", "spread"]

Shapes = Sequence[tuple[int, ...]]
_WORTH = 1 << 19
"""Numbers from which on another function of autograd costs less than a copy."""


class Gathered:
    """Room for the gradient of a flat tensor in one pass back."""

    def __init__(self, flat: Tensor) -> None:
        self._flat = flat.detach()
        self._room: Tensor | None = None
        self._given: list[range] = []

    def place(self, part: Tensor) -> Tensor | None:
        """Where the gradient of a part may be written: once in a pass, and else nowhere.

        Args:
            part: of the flat tensor. What is none, or does not lie as it is read, has no place.
        """
        flat, size = self._flat, part.numel()
        first = (part.data_ptr() - flat.data_ptr()) // flat.element_size()
        is_part = part.is_contiguous() and part.dtype == flat.dtype
        is_part &= 0 <= first <= flat.numel() - size
        if not is_part or any(first < g.stop and g.start < first + size for g in self._given):
            return None
        self._given.append(range(first, first + size))
        return self._whole()[first : first + size].view(part.shape)

    def take(self) -> Tensor:
        """The room, for the next pass to begin with another."""
        room = self._whole()
        self._room, self._given = None, []
        return room

    def _whole(self) -> Tensor:
        if self._room is None:
            self._room = torch.empty_like(self._flat)
        return self._room


def spread(
    flat: Tensor, shapes: Shapes, *, once: bool = True
) -> tuple[list[Tensor], Gathered | None]:
    """The parts of a flat tensor, and where their gradients may be written.

    Args:
        once: each comes once in a pass; many are added up in less memory without a place.
    """
    is_worth_it = once and flat.numel() >= _WORTH and wants_gradient([flat])
    if not is_worth_it or is_recorded(flat) or is_transformed():
        return parts(flat, shapes), None
    gathered = Gathered(flat)
    return list(_Spread.apply(flat, shapes, gathered)), gathered


def parts(flat: Tensor, shapes: Shapes) -> list[Tensor]:
    """The parts of a flat tensor as views into it, one after another."""
    pieces = flat.split([prod(shape) for shape in shapes])
    return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


class _Spread(torch.autograd.Function):
    """The parts of a flat tensor; what of their gradients lies in place is not copied."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, shapes: Shapes, gathered: Gathered) -> tuple[Tensor, ...]:
        ctx.shapes, ctx.gathered = shapes, gathered
        ctx.set_materialize_grads(False)
        return tuple(parts(flat, shapes))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        whole = ctx.gathered.take()
        if torch.is_grad_enabled():  # to be differentiated again
            known = zip(gradients, ctx.shapes, strict=True)
            found = [whole.new_zeros(s) if g is None else g for g, s in known]
            return torch.cat([gradient.flatten() for gradient in found]), None, None
        for part, gradient in zip(parts(whole, ctx.shapes), gradients, strict=True):
            if gradient is None:
                part.zero_()
            elif gradient.data_ptr() != part.data_ptr() or not gradient.is_contiguous():
                part.copy_(gradient)
        return whole, None, None
