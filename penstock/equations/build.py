"""Building a Program operation by operation: sharing equal values, inferring shapes."""

from __future__ import annotations

from dataclasses import replace

from penstock.equations.functions import FUNCTIONS, OPERATORS
from penstock.equations.program import SOURCE, Operation
from penstock.equations.shapes import ShapeClash, Sizes, Unknowns

__all__ = ["Builder", "Mistake"]

_CHANGING = ("input", "memory", "state", "dropout", "step_dropout", "zoneout")


class Mistake(Exception):
    """Something wrong with an expression; the parser adds where."""


class Builder:
    """Appends operations; an operation equal to an earlier one is that earlier one."""

    def __init__(self) -> None:
        self.sizes = Sizes()
        self._operations: list[Operation] = []
        self._shapes: list[Unknowns] = []
        self._fixed: list[bool] = []
        self._known: dict[Operation, int] = {}

    def finish(self) -> tuple[Operation, ...]:
        """The operations with their shapes resolved."""
        return tuple(
            replace(operation, shape=self.sizes.resolve(shape))
            for operation, shape in zip(self._operations, self._shapes, strict=True)
        )

    def shape(self, index: int) -> Unknowns:
        """The shape of a value so far."""
        return self._shapes[index]

    def rank(self, index: int) -> int:
        """0 for a scalar, 1 for a vector, 2 for a matrix."""
        return len(self._shapes[index])

    def leaf(self, operation: Operation, shape: Unknowns) -> int:
        """An input, state, weight or constant."""
        return self._emit(operation, shape)

    def named_number(self, value: float) -> int:
        """A constant with a name of its own, never taken for an equal number elsewhere."""
        return self._append(Operation("constant", value=value), ())

    def transpose(self, index: int) -> int:
        """``W.T``."""
        if self.rank(index) != 2:
            raise Mistake("'.T' needs a weight matrix")
        rows, columns = self.shape(index)
        return self._emit(Operation("transpose", (index,)), (columns, rows))

    def negate(self, index: int) -> int:
        """``-a``."""
        return self._emit(Operation("neg", (index,)), self.shape(index))

    def matmul(self, left: int, right: int) -> int:
        """``W @ v``, ``A @ B`` of weight matrices, or ``v @ M`` with a column per source word."""
        if self.rank(left) == 1 and self._has_columns(right):
            rows, columns = self.shape(right)
            self._unify("@", self.shape(left), (rows,), left, right)
            return self._emit(Operation("matmul", (left, right)), (columns,))
        if self.rank(left) != 2:
            raise Mistake(
                f"'@' needs a weight matrix on its left, got {self._show(left)}; "
                "a weight matrix has a name with a capital letter"
            )
        if self.rank(right) == 0:
            raise Mistake("'@' needs a vector on its right, got a scalar; use '*'")
        rows, inner = self.shape(left)
        self._unify("@", (inner,), self.shape(right)[:1], left, right)
        return self._emit(Operation("matmul", (left, right)), (rows, *self.shape(right)[1:]))

    def elementwise(self, op: str, *args: int) -> int:
        """An operator or function that takes values of one shape, or scalars."""
        columns = [arg for arg in args if self._has_columns(arg)]
        if columns:
            return self._by_column(op, args, columns)
        full = [arg for arg in args if self.rank(arg)]
        for other in full[1:]:
            if self.rank(other) != self.rank(full[0]):
                raise Mistake(self._mixed(op, full[0], other))
            self._unify(OPERATORS.get(op, op), self.shape(full[0]), self.shape(other), *args)
        if full and self.rank(full[0]) == 2 and not all(self._fixed[arg] for arg in args):
            raise Mistake(
                "a weight matrix is only combined with weights and numbers; "
                "write s * (W @ v) instead of (s * W) @ v"
            )
        return self._emit(Operation(op, args), self.shape(full[0]) if full else ())

    def reduction(self, op: str, arg: int) -> int:
        """A function of a whole row of units."""
        if self.rank(arg) != 1:
            raise Mistake(f"'{op}' needs a vector, got {self._show(arg)}")
        if op != "softmax" and self.sizes.resolve(self.shape(arg)) == (SOURCE,):
            raise Mistake(f"'{op}' does not go over source words; softmax does")
        scalar = FUNCTIONS[op].kind == "scalar reduction"
        return self._emit(Operation(op, (arg,)), () if scalar else self.shape(arg))

    def outer(self, left: int, right: int) -> int:
        """``outer(w, a)``: w times the entry of each source word, side by side."""
        if self.rank(left) != 1 or self.rank(right) != 1:
            raise Mistake(f"'outer' needs two vectors, got {self._show(left)}, {self._show(right)}")
        source = self.sizes.named(SOURCE)
        self._unify("outer", self.shape(right), (source,), left, right)
        return self._emit(Operation("outer", (left, right)), (*self.shape(left), source))

    def positions(self, arg: int) -> int:
        """``positions(v)``: the first entries of v, one for each source word."""
        if self.rank(arg) != 1:
            raise Mistake(f"'positions' needs a vector, got {self._show(arg)}")
        return self._emit(Operation("positions", (arg,)), (self.sizes.named(SOURCE),))

    def random(self, op: str, args: tuple[int, ...], probability: float) -> int:
        """A regulariser that draws a mask; two of them never share one."""
        if (self.rank(args[0]) == 2) != (op == "weight_drop"):
            needed = "a weight matrix" if op == "weight_drop" else "a vector or a scalar"
            raise Mistake(f"'{op}' needs {needed}, got {self._show(args[0])}")
        for other in args[1:]:
            self._unify(op, self.shape(args[0]), self.shape(other), *args)
        return self._append(Operation(op, args, value=probability), self.shape(args[0]))

    def _emit(self, operation: Operation, shape: Unknowns) -> int:
        if operation not in self._known:
            self._known[operation] = self._append(operation, shape)
        return self._known[operation]

    def _append(self, operation: Operation, shape: Unknowns) -> int:
        """Add an operation; it is fixed if it is the same for all sequences and steps."""
        changing = operation.op in _CHANGING
        self._fixed.append(not changing and all(self._fixed[arg] for arg in operation.args))
        self._operations.append(operation)
        self._shapes.append(shape)
        return len(self._operations) - 1

    def _has_columns(self, index: int) -> bool:
        """Whether a value has a column for each source word: no weight does."""
        return self.rank(index) == 2 and not self._fixed[index]

    def _by_column(self, op: str, args: tuple[int, ...], columns: list[int]) -> int:
        """Element by element; a vector goes with every column."""
        shape = self.shape(columns[0])
        for other in args:
            rank = self.rank(other)
            self._unify(OPERATORS.get(op, op), shape[:rank], self.shape(other), *args)
        return self._emit(Operation(op, args), shape)

    def _unify(self, symbol: str, left: Unknowns, right: Unknowns, *args: int) -> None:
        shown = [self._show(arg) for arg in args]
        try:
            self.sizes.unify(left, right)
        except ShapeClash:
            raise Mistake(f"shape clash: {f' {symbol} '.join(shown)}") from None

    def _show(self, index: int) -> str:
        shape = self.sizes.show(self.shape(index))
        name = self._operations[index].name
        return f"{name} {shape}" if name else shape

    def _mixed(self, op: str, left: int, right: int) -> str:
        matrix = left if self.rank(left) == 2 else right
        name = self._operations[matrix].name or "the left side"
        return (
            f"shape clash: {self._show(left)} {OPERATORS.get(op, op)} {self._show(right)}. "
            f"{name!r} is a weight matrix: use it with '@', "
            "or give a weight vector a lower-case name"
        )
