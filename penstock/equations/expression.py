"""Expressions of the language: from Python's syntax tree to operations."""

from __future__ import annotations

import ast
import keyword

from penstock.equations.build import Builder, Mistake
from penstock.equations.declare import Declarations, number
from penstock.equations.functions import FUNCTIONS
from penstock.equations.program import SOURCE, Operation
from penstock.equations.shapes import ShapeClash, Unknowns
from penstock.errors import did_you_mean

__all__ = ["Expressions", "check_name"]

MAX_DELAY = 1000
MAX_DEPTH = 100
_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul"}
_RESERVED = {
    "x": "the input",
    "memory": "the source's annotations",
    "t": "the step",
    "scalar": "a shape",
    "size": "a declaration",
}


def check_name(name: str) -> None:
    """Refuse a name that the language needs for itself."""
    if name in _RESERVED:
        raise Mistake(f"{name!r} is reserved: it is {_RESERVED[name]}. Use another name.")
    if name in FUNCTIONS:
        raise Mistake(f"{name!r} is reserved: it is a function. Use another name.")
    if keyword.iskeyword(name):
        raise Mistake(f"{name!r} is reserved: it is a word of Python. Use another name.")
    if name.startswith("_"):
        raise Mistake(f"{name!r} is reserved: names do not start with '_'.")


class Expressions:
    """Turns one right-hand side after another into operations.

    Attributes:
        build: holds the operations made so far.
        assigned: name to position of the value assigned to it.
        weights: name to shape of every weight met so far.
    """

    def __init__(self, targets: set[str], declared: Declarations) -> None:
        self.build = Builder()
        self.assigned: dict[str, int] = {}
        self.weights: dict[str, Unknowns] = {}
        self._targets = targets
        self._declared = declared
        self._shapes: dict[str, Unknowns] = {}
        self._states: set[str] = set()
        self._depth = 0

    def assign(self, name: str, node: ast.expr) -> int:
        """``name = expression``; gives the position of the value."""
        try:
            is_number = isinstance(node, ast.Constant)
            index = self.build.named_number(number(node)) if is_number else self._visit(node)
            self._fit(name, index)
        except Mistake:
            # A stand-in lets the lines after a mistake be checked too.
            shape = self._shape_of(name, 2 if name[0].isupper() else 1)
            self.assigned[name] = self.build.leaf(Operation("input", name=name), shape)
            raise
        self.assigned[name] = index
        return index

    def _fit(self, name: str, index: int) -> None:
        """Set the shape of a name equal to that of the value assigned to it."""
        value, show = self.build.shape(index), self.build.sizes.show
        shape = self._shape_of(name, len(value))
        try:
            self.build.sizes.unify(shape, value)
        except ShapeClash:
            hint = "" if value else f". Declare '{name}: scalar' if it is one number."
            raise Mistake(f"shape clash: {name} {show(shape)} = {show(value)}{hint}") from None

    def unused(self) -> list[str]:
        """Declared names that no equation holds."""
        known = set(self.weights) | set(self.assigned)
        sizes = {size for shape in self._declared.shapes.values() for size in shape}
        shapes = [name for name in self._declared.shapes if name not in known]
        return shapes + [name for name in self._declared.sizes if name not in sizes]

    def of_input_size(self, outputs: set[str]) -> list[str]:
        """States and outputs that the equations tie to D though no declaration says so."""
        names = [name for name in self.assigned if name in self._states | outputs]
        return [
            name
            for name in names
            if name not in self._declared.shapes
            and self.build.sizes.resolve(self._shapes[name]) == ("D",)
        ]

    def _fresh(self, rank: int) -> Unknowns:
        return self.build.sizes.fresh(rank)

    def _shape_of(self, name: str, rank: int) -> Unknowns:
        """The one shape of a name: declared, or new unknowns at its first sight."""
        if name not in self._shapes:
            declared = self._declared.shapes.get(name)
            if declared is None:
                self._shapes[name] = self._fresh(rank)
            else:
                self._shapes[name] = tuple(self.build.sizes.named(size) for size in declared)
        return self._shapes[name]

    def _visit(self, node: ast.expr) -> int:
        visit = getattr(self, f"_visit_{type(node).__name__}", None)
        if visit is None:
            raise Mistake(f"{_describe(node)} is not part of the language", node)
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise Mistake("this is nested too deeply; give a part of it a name on its own line")
            return int(visit(node))
        except Mistake as mistake:
            raise mistake if len(mistake.args) > 1 else Mistake(*mistake.args, node) from None
        finally:
            self._depth -= 1

    def _visit_BinOp(self, node: ast.BinOp) -> int:
        op = _BINARY.get(type(node.op))
        if op is None:
            raise Mistake("the operators are + - * / and @; for a power use square(...)")
        left, right = self._visit(node.left), self._visit(node.right)
        return (
            self.build.matmul(left, right)
            if op == "matmul"
            else (self.build.elementwise(op, left, right))
        )

    def _visit_UnaryOp(self, node: ast.UnaryOp) -> int:
        if not isinstance(node.op, ast.USub):
            raise Mistake("the only operator before one value is '-'")
        return self.build.negate(self._visit(node.operand))

    def _visit_Constant(self, node: ast.Constant) -> int:
        return self.build.leaf(Operation("constant", value=number(node)), ())

    def _visit_Attribute(self, node: ast.Attribute) -> int:
        if node.attr != "T":
            raise Mistake(f"'.{node.attr}' is not part of the language; '.T' transposes a matrix")
        return self.build.transpose(self._visit(node.value))

    def _visit_Subscript(self, node: ast.Subscript) -> int:
        if not isinstance(node.value, ast.Name):
            raise Mistake("only a name can be read at an earlier step, as in h[t-1]")
        name, delay = node.value.id, _delay(node)
        if name == "x":
            return self.build.leaf(
                Operation("input", name="x", delay=delay), (self.build.sizes.named("D"),)
            )
        if name not in self._targets:
            raise Mistake(
                f"{name!r} is read at an earlier step but never assigned. "
                f"Add a line '{name} = ...'.{did_you_mean(name, self._targets)}"
            )
        shape = self._shape_of(name, 1)
        if len(shape) == 2:
            raise Mistake(f"{name!r} is a matrix; only a vector or a scalar can be a state")
        self._states.add(name)
        return self.build.leaf(Operation("state", name=name, delay=delay), shape)

    def _visit_Name(self, node: ast.Name) -> int:
        name = node.id
        if name == "x":
            return self.build.leaf(Operation("input", name="x"), (self.build.sizes.named("D"),))
        if name == "memory":
            rows, columns = self.build.sizes.named("M"), self.build.sizes.named(SOURCE)
            return self.build.leaf(Operation("memory", name=name, per="sequence"), (rows, columns))
        if name in self.assigned:
            return self.assigned[name]
        if name in self._targets:
            raise Mistake(
                f"{name!r} is read before it is assigned. "
                f"Write {name}[t-1] for its value one step ago."
            )
        check_name(name)
        shape = self._shape_of(name, 2 if name[0].isupper() else 1)
        self.weights[name] = shape
        return self.build.leaf(Operation("weight", name=name), shape)

    def _visit_Call(self, node: ast.Call) -> int:
        if not isinstance(node.func, ast.Name):
            raise Mistake("only functions of the language can be called")
        name = node.func.id
        if name not in FUNCTIONS:
            raise Mistake(f"unknown function {name!r}.{did_you_mean(name, FUNCTIONS)}")
        function = FUNCTIONS[name]
        is_random = function.kind == "random"
        if len(node.args) != function.operands + is_random or node.keywords:
            takes = f"{function.operands} value{'s' * (function.operands > 1)}"
            takes += " and a probability" if is_random else ""
            got = "one by name" if node.keywords else len(node.args)
            raise Mistake(f"{name!r} takes {takes}, got {got}")
        args: tuple[int, ...] = tuple(map(self._visit, node.args[: function.operands]))
        if function.kind == "source":
            return int(getattr(self.build, name)(*args))
        if function.kind == "elementwise":
            return self.build.elementwise(name, *args)
        if is_random:
            return self.build.random(name, args, _probability(node.args[-1]))
        return self.build.reduction(name, args[0])


def _describe(node: ast.expr) -> str:
    words = {
        "BoolOp": "'and'/'or'",
        "Compare": "a comparison",
        "IfExp": "'if'/'else'",
        "List": "a list",
        "NamedExpr": "':='",
        "Tuple": "a tuple",
    }
    return words.get(type(node).__name__, f"this ({type(node).__name__.lower()})")


def _probability(node: ast.expr) -> float:
    value = number(node)
    if not 0 <= value < 1:
        raise Mistake(f"expected a probability from 0 up to 1, got {value:g}", node)
    return value


def _delay(node: ast.Subscript) -> int:
    match node.slice:
        case ast.BinOp(
            left=ast.Name(id="t"), op=ast.Sub(), right=ast.Constant(value=int(delay))
        ) if delay is not True and 1 <= delay <= MAX_DELAY:
            return delay
        case ast.Name(id="t"):
            name = node.value.id if isinstance(node.value, ast.Name) else "name"
            raise Mistake(f"this step's value is written {name!r}, without [t]")
        case _:
            raise Mistake(f"expected a step from [t-1] to [t-{MAX_DELAY}]")
