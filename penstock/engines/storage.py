"""Where the weights of a program lie in one flat tensor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from penstock.caching import cached_property
from penstock.engines.gather import parts, spread
from penstock.engines.precision import FULL
from penstock.equations.plan import Plan, Product

__all__ = ["Layout", "Snapshot", "Weights"]


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

    @property
    def size(self) -> int:
        """Number of entries of all weights."""
        return sum(map(prod, self.shapes.values()))

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

    @cached_property
    def joined_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each group: of a weight by itself, or of matrices stacked by rows."""
        return [
            self.shapes[group[0]]
            if len(group) == 1
            else (sum(self.shapes[name][0] for name in group), self.shapes[group[0]][1])
            for group in self.groups
        ]

    @cached_property
    def places(self) -> dict[str, tuple[tuple[str, ...], int]]:
        """Weight name to its group and its first row there."""
        return {
            name: (group, sum(self.shapes[other][0] for other in group[:number]))
            for group in self.groups
            for number, name in enumerate(group)
        }

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Every weight as a view into a flat tensor of :attr:`size` entries."""
        return dict(zip(self.shapes, parts(flat, list(self.shapes.values())), strict=True))


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
        gathered: where their gradients may be written, if any are wanted and come once.
    """

    def __init__(
        self, layout: Layout, flat: Tensor, precision: str = FULL, *, in_segments: bool = False
    ) -> None:
        self.layout, self.flat, self.precision = layout, flat, precision
        super().__init__()
        joined, self.gathered = spread(flat, layout.joined_shapes, once=not in_segments)
        self._joined = dict(zip(layout.groups, joined, strict=True))

    def __getitem__(self, name: str) -> Tensor:
        group, row = self.layout.places[name]
        joined = self._joined[group]
        if len(group) == 1:
            return joined
        return joined[row : row + self.layout.shapes[name][0]]

    def stacked(self, names: tuple[str, ...]) -> Tensor | None:
        """The matrices stacked by rows if they lie together, else None."""
        return self._joined.get(names)


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
