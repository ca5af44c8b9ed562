"""Where the weights of a program lie in one flat tensor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from penstock.caching import cached_property
from penstock.engines.precision import FULL, rounded
from penstock.equations.plan import Plan, Product

__all__ = ["Layout", "Snapshot", "Weights", "stack"]


@dataclass(frozen=True)
class Layout:
    """Name to place in the flat tensor; matrices that are multiplied together are adjacent.

    Attributes:
        plan: of the program whose weights are stored.
        sizes: every size by name.
    """

    plan: Plan
    sizes: Mapping[str, int]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Weight name to shape in numbers, in storage order."""
        shapes = {weight.name: weight.shape for weight in self.plan.program.weights}
        return {name: tuple(self.sizes[size] for size in shapes[name]) for name in self.plan.layout}

    @cached_property
    def counts(self) -> list[int]:
        """Number of entries of each weight, in storage order."""
        return [prod(shape) for shape in self.shapes.values()]

    @property
    def size(self) -> int:
        """Number of entries of all weights."""
        return sum(self.counts)

    @cached_property
    def groups(self) -> list[tuple[str, ...]]:
        """Adjacent weights that one product uses, and every other weight by itself."""
        operations = self.plan.program.operations
        joined: dict[str, tuple[str, ...]] = {}
        for items in self.plan.schedule.values():
            for item in items:
                if isinstance(item, Product):
                    names = tuple(operations[matrix].name for matrix in item.matrices)
                    free = all(name in self.shapes and name not in joined for name in names)
                    if free and len(set(names)) == len(names):
                        joined.update(dict.fromkeys(names, names))
        singles = {name: (name,) for name in self.shapes if name not in joined}
        groups = list(dict.fromkeys((joined | singles)[name] for name in self.shapes))
        order = [name for group in groups for name in group]
        return groups if order == list(self.shapes) else [(name,) for name in self.shapes]

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Every weight as a view into a flat tensor of :attr:`size` entries."""
        pieces = flat.split(self.counts)
        return {
            name: piece.view(shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }


class _Kept:
    """What is made of some tensors, by name."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def keep(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is made of them, once."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


class Weights(_Kept):
    """The weights of a run: by name, and stacked without a copy where they lie together.

    Attributes:
        layout: where each lies.
        flat: all of them.
        precision: what products round matrices to (:data:`penstock.engines.precision.PRECISIONS`).
    """

    def __init__(self, layout: Layout, flat: Tensor, precision: str = FULL) -> None:
        self.layout, self.flat, self.precision = layout, flat, precision
        super().__init__()
        counts = dict(zip(layout.shapes, layout.counts, strict=True))
        groups = layout.groups
        pieces = flat.split([sum(counts[name] for name in group) for group in groups])
        self._stacked: dict[tuple[str, ...], Tensor] = {}
        self._named: dict[str, Tensor] = {}
        for group, piece in zip(groups, pieces, strict=True):
            shapes = [layout.shapes[name] for name in group]
            if len(group) == 1:
                self._named[group[0]] = piece.view(shapes[0])
                continue
            stacked = piece.view(-1, shapes[0][1])
            self._stacked[group] = stacked
            rows = stacked.split([shape[0] for shape in shapes])
            self._named.update(zip(group, rows, strict=True))

    def __getitem__(self, name: str) -> Tensor:
        return self._named[name]

    def stacked(self, names: Iterable[str]) -> Tensor | None:
        """The matrices stacked by rows if they lie together, else None."""
        return self._stacked.get(tuple(names))


class _Steps:
    """Steps that optimisers have taken; fused ones change a weight without a new version of it."""

    taken = 0

    @classmethod
    def count(cls, *_: object) -> None:
        cls.taken += 1


register_optimizer_step_post_hook(_Steps.count)


class Snapshot(_Kept):
    """What is made of some weights, kept as long as they are the same and unchanged.

    There is none of weights made under ``torch.inference_mode``, which tell of no change.
    """

    def __init__(self, *weights: Tensor) -> None:
        self._seen = [(weight, weight._version, weight.data_ptr()) for weight in weights]
        self._steps = _Steps.taken
        super().__init__()

    def is_of(self, *weights: Tensor | None) -> bool:
        """Whether these are the weights, unchanged."""
        if self._steps != _Steps.taken:
            return False
        for weight, (own, version, address) in zip(weights, self._seen, strict=True):
            if weight is not own or own._version != version or own.data_ptr() != address:
                return False
        return True


def stack(weights: Weights, names: tuple[str, ...], matrices: list[Tensor]) -> Tensor:
    """The matrices of one joined product, stacked by rows, as products take them."""
    if len(matrices) == 1:
        return rounded(matrices[0], weights.precision)
    together = weights.stacked(names)
    return rounded(torch.cat(matrices) if together is None else together, weights.precision)
