"""Putting Programs together: the lines of one after those of another, in one step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from penstock.equations.program import Assignment, Initial, Operation, Program, Shape, Weight
from penstock.equations.rewrite import canonical, new_name

__all__ = ["Composer"]

Spread = Callable[[Operation, int], int]
"""Given a product with the input and its position, the position of what takes its place."""


class Composer:
    """Collects lines; :meth:`finish` makes them one Program.

    Args:
        reserved: names that no new weight takes.

    Example:
        >>> from penstock.equations import parse, render
        >>> elman = parse("h = tanh(W @ x + U @ h[t-1])")
        >>> both = Composer()
        >>> _ = both.include(elman, suffix="_1")
        >>> _ = both.include(elman, suffix="_2", x="h_1")
        >>> print(render.text(both.finish("two layers", "h_2")))
        h_1 = tanh(W_1 @ x + U_1 @ h_1[t-1])
        h_2 = tanh(W_2 @ h_1 + U_2 @ h_2[t-1])
        return h_2
    """

    def __init__(self, reserved: Collection[str] = ()) -> None:
        self._reserved = set(reserved)
        self.operations: list[Operation] = []
        self._lines: list[Assignment] = []
        self._weights: dict[str, Weight] = {}
        self._sizes: dict[str, float] = {}

    @property
    def taken(self) -> set[str]:
        """Names of lines and weights so far, and those that are to come."""
        return {line.name for line in self._lines} | set(self._weights) | self._reserved

    def add(self, op: str, *args: int, shape: Shape, name: str = "", delay: int = 0) -> int:
        """Append an operation; gives its position."""
        per = "sequence" if op == "memory" else ""
        self.operations.append(Operation(op, args, name, delay, per=per, shape=shape))
        return len(self.operations) - 1

    def weight(self, wanted: str, shape: Shape, initial: Initial = None) -> int:
        """A new weight, under this name or one like it."""
        name = new_name(wanted, self.taken)
        self._weights[name] = Weight(name, shape, initial)
        return self.add("weight", name=name, shape=shape)

    def multiply(self, wanted: str, index: int, rows: str) -> int:
        """A new matrix times a vector: ``wanted @ operations[index]``."""
        shape = (rows, self.shape(index)[0])
        return self.add("matmul", self.weight(wanted, shape), index, shape=(rows,))

    def state(self, name: str, shape: Shape, delay: int = 1) -> int:
        """``name[t-1]`` of a line that may come later."""
        return self.add("state", name=name, delay=delay, shape=shape)

    def shape(self, index: int) -> Shape:
        """Of a value."""
        return self.operations[index].shape

    def line(self, name: str, index: int, comment: str = "") -> int:
        """Give a value its name."""
        self._lines.append(Assignment(name, index, comment))
        return index

    def size(self, name: str, default: float) -> None:
        """An extra size."""
        self._sizes[name] = default

    def include(
        self,
        program: Program,
        *,
        suffix: str = "",
        x: str = "",
        states: Mapping[str, int] | None = None,
        sizes: Mapping[str, str] | None = None,
        spread: Spread | None = None,
    ) -> dict[str, int]:
        """Append a program's lines.

        Args:
            program: what to append.
            suffix: of all its names.
            x: the line that it reads as x, by default the input itself.
            states: what it reads for the state one step ago, by its own names.
            sizes: its size names to those they become.
            spread: what becomes of its products with x, or with what is made of x alone.

        Returns:
            Name, with the suffix, to position.
        """
        moved: dict[int, int] = {}
        renamed = dict(sizes or {})
        if x:
            renamed.setdefault("D", self.shape(self.place(x))[0])

        def shape_of(shape: Shape) -> Shape:
            return tuple(renamed.get(size, size) for size in shape)

        for index, operation in enumerate(program.operations):
            name, shape = operation.name, shape_of(operation.shape)
            if operation.op == "input" and x:
                delay = operation.delay
                moved[index] = self.state(x, shape, delay) if delay else self.place(x)
                continue
            if operation.op == "state" and operation.delay == 1 and name in (states or {}):
                moved[index] = (states or {})[name]
                continue
            if operation.op in ("state", "weight"):
                name += suffix
            args = tuple(moved[arg] for arg in operation.args)
            self.operations.append(replace(operation, args=args, name=name, shape=shape))
            moved[index] = len(self.operations) - 1
            if spread and _multiplies_input(program, index):
                moved[index] = spread(operation, moved[index])
        for weight in program.weights:
            name, shape = weight.name + suffix, shape_of(weight.shape)
            self._weights[name] = replace(weight, name=name, shape=shape)
        for line in program.assignments:
            self.line(line.name + suffix, moved[line.index], line.comment)
        self._sizes |= {n: default for n, default in program.sizes if n not in renamed}
        return {line.name + suffix: moved[line.index] for line in program.assignments}

    def place(self, name: str) -> int:
        """The position of a line's value."""
        return next(line.index for line in self._lines if line.name == name)

    def finish(self, name: str, output: str) -> Program:
        """The Program of all lines."""
        return canonical(
            Program(
                name,
                tuple(self.operations),
                tuple(self._lines),
                tuple(self._weights.values()),
                output,
                tuple(self._sizes.items()),
            )
        )


def _multiplies_input(program: Program, index: int) -> bool:
    """Whether an operation is a matrix times x, or times what is made of x alone (and a mask)."""
    if not program.is_product(index):
        return False
    made_of = program.ancestors([program.operations[index].args[1]])
    leaves = [found for found in map(program.operations.__getitem__, made_of) if not found.args]
    read = [found.op for found in leaves if found.op not in ("noise", "constant")]
    return set(read) == {"input"} and not any(found.delay for found in leaves)
