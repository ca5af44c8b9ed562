"""Declarations: ``alpha: scalar``, ``h: P``, ``U: (H, H) = identity``, ``P: size = 0.5``."""

from __future__ import annotations

import ast
import math

from penstock.equations.build import Mistake
from penstock.equations.program import Initial, Shape

__all__ = ["STARTS", "Declarations"]

STARTS = ("identity", "orthogonal")
"""Start values of a square matrix that have a name."""


class Declarations:
    """What the text declares before or between its equations.

    Attributes:
        shapes: name to declared shape.
        initial: weight name to start value.
        sizes: extra size to its default, a share of H (float) or a number (int).
    """

    def __init__(self) -> None:
        self.shapes: dict[str, Shape] = {}
        self.initial: dict[str, Initial] = {}
        self.sizes: dict[str, float] = {}

    def read(self, node: ast.AnnAssign) -> None:
        """Take in one declaration."""
        if not isinstance(node.target, ast.Name):
            raise Mistake("expected 'name: shape'", node)
        name = node.target.id
        if name in self.shapes or (name in self.sizes and _is_size(node.annotation)):
            raise Mistake(f"{name!r} is declared twice", node)
        if _is_size(node.annotation):
            self.sizes[name] = _size(name, node)
            return
        self.shapes[name] = _shape(node.annotation)
        for size in self.shapes[name]:
            if size not in ("D", "H"):
                self.sizes.setdefault(size, 1.0)
        if node.value is not None:
            self.initial[name] = _initial(node.value)


def _is_size(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "size"


def _size(name: str, node: ast.AnnAssign) -> float:
    value = node.value.value if isinstance(node.value, ast.Constant) else 1.0
    if name in ("D", "H") or not name[0].isupper():
        raise Mistake("an extra size has a name with a capital letter, other than D and H", node)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise Mistake("expected a share of H such as 0.5, or a whole number", node)
    return value


def _shape(node: ast.expr) -> Shape:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    if isinstance(node, ast.Name) and node.id == "scalar":
        return ()
    sizes = tuple(name.id for name in names if isinstance(name, ast.Name) and name.id[0].isupper())
    if len(sizes) != len(names) or len(names) not in (1, 2):
        raise Mistake("expected a shape: 'scalar', 'H' or '(H, D)', sizes with capitals", node)
    return sizes


def _initial(node: ast.expr) -> Initial:
    match node:
        case ast.Name(id=name) if name in STARTS:
            return name
        case ast.Call(func=ast.Name(id="uniform"), args=[low, high], keywords=[]):
            return ("uniform", _signed(low), _signed(high))
        case _:
            return _signed(node)


def _signed(node: ast.expr) -> float:
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1.0, node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        starts = ", ".join(STARTS)
        raise Mistake(f"expected a start value: a number, {starts} or uniform(low, high)", node)
    return sign * float(value)
