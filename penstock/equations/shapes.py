"""Shape inference: sizes are unknowns that the equations set equal.

Every size starts as an unknown of its own; ``+`` and the like set sizes equal,
``@`` sets the inner sizes equal, and the input ties one to ``D``.  An unknown
that nothing ties is ``H``.  Two names tied together are a shape clash.
"""

from __future__ import annotations

from penstock.equations.program import Shape

__all__ = ["ShapeClash", "Sizes", "Unknowns"]

Unknowns = tuple[int, ...]
"""A shape before inference has ended: the numbers of its sizes."""


class ShapeClash(Exception):
    """Two shapes that cannot be equal."""


class Sizes:
    """The unknown sizes of a program and what is known of them (a union-find)."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._label: list[str] = []
        self._named: dict[str, int] = {}

    def fresh(self, rank: int) -> Unknowns:
        """A shape of ``rank`` new unknowns."""
        first = len(self._parent)
        self._parent.extend(range(first, first + rank))
        self._label.extend([""] * rank)
        return tuple(range(first, first + rank))

    def named(self, name: str) -> int:
        """The size called ``name``."""
        if name not in self._named:
            (size,) = self.fresh(1)
            self._label[size] = name
            self._named[name] = size
        return self._named[name]

    def unify(self, left: Unknowns, right: Unknowns) -> None:
        """Set two shapes equal.

        Raises:
            ShapeClash: their ranks or two of their named sizes differ.
        """
        if len(left) != len(right):
            raise ShapeClash
        for a, b in zip(left, right, strict=True):
            self._join(a, b)

    def resolve(self, shape: Unknowns) -> Shape:
        """The names of a shape's sizes; what nothing ties is H."""
        return tuple(self._label[self._root(size)] or "H" for size in shape)

    def show(self, shape: Unknowns) -> str:
        """A shape as the error messages write it: ``scalar``, ``(H,)``, ``(H, D)``."""
        if not shape:
            return "scalar"
        names = [self._label[self._root(size)] or "?" for size in shape]
        return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"

    def _root(self, size: int) -> int:
        while self._parent[size] != size:
            self._parent[size] = self._parent[self._parent[size]]
            size = self._parent[size]
        return size

    def _join(self, a: int, b: int) -> None:
        a, b = self._root(a), self._root(b)
        if a == b:
            return
        if self._label[a] and self._label[b]:
            raise ShapeClash
        if self._label[b]:
            a, b = b, a
        self._parent[b] = a
