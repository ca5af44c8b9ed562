"""Declarations: ``alpha: scalar``, ``h: P``, ``U: (H, H) = identity``, ``P: size = 0.5``."""

from __future__ import annotations

import ast
import math

from penstock.equations.build import Mistake
from penstock.equations.program import SOURCE, STARTS, Initial, Shape

__all__ = ["Declarations", "number"]


class Declarations:
    """What the text declares before or between its equations.

    Attributes:
        shapes: name to declared shape.
        initial: weight name to start value.
        sizes: extra size to its default, a share of H (float) or a number (int).
        nodes: name to where it is declared, for messages.
    """

    def __init__(self) -> None:
        self.shapes: dict[str, Shape] = {}
        self.initial: dict[str, Initial] = {}
        self.sizes: dict[str, float] = {}
        self.nodes: dict[str, ast.AnnAssign] = {}
        self._sized: set[str] = set()

    def read(self, node: ast.AnnAssign) -> None:
        """Take in one declaration."""
        if not isinstance(node.target, ast.Name):
            raise Mistake("expected 'name: shape'", node)
        name, is_size = node.target.id, _is_size(node.annotation)
        if name in (self._sized if is_size else self.shapes):
            raise Mistake(f"{name!r} is declared twice", node)
        self.nodes.setdefault(name, node)
        if is_size:
            self.sizes[name] = _size(name, node)
            self._sized.add(name)
            return
        self.shapes[name] = _shape(node.annotation)
        for size in self.shapes[name]:
            if size not in ("D", "H", SOURCE):
                self.sizes.setdefault(size, 1.0)
        if node.value is not None:
            self.initial[name] = _initial(node.value)


def number(node: ast.expr) -> float:
    """The number that a node writes, a sign before it allowed.

    Raises:
        Mistake: it is no number, or not a finite one.
    """
    sign, inner = 1.0, node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, inner = -1.0, node.operand
    value = inner.value if isinstance(inner, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mistake("expected a number", node)
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Mistake("the number is too large", node)
    return sign * value


def _is_size(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "size"


def _size(name: str, node: ast.AnnAssign) -> float:
    if name in ("D", "H", SOURCE) or not name[0].isupper():
        raise Mistake("an extra size has a name with a capital letter, other than D, H and S", node)
    if node.value is None:
        return 1.0
    value = number(node.value)
    if value <= 0:
        raise Mistake("expected a share of H such as 0.5, or a whole number", node.value)
    is_whole = isinstance(node.value, ast.Constant) and isinstance(node.value.value, int)
    return int(value) if is_whole else value


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
            return ("uniform", number(low), number(high))
        case ast.Constant() | ast.UnaryOp():
            return number(node)
        case _:
            starts = ", ".join(STARTS)
            raise Mistake(f"expected a start value: a number, {starts} or uniform(low, high)", node)
