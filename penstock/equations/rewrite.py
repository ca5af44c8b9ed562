"""Rewriting a Program operation by operation, and its one canonical form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import replace
from itertools import count

from penstock.equations.functions import FUNCTIONS
from penstock.equations.program import Assignment, Operation, Program

__all__ = ["Rewriter", "canonical", "is_random", "new_name"]


class Rewriter:
    """Rebuilds a program's operations one after another.

    Attributes:
        operations: the new ones so far.
        moved: position in the old program to position in the new one.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.operations: list[Operation] = []
        self.moved: dict[int, int] = {}

    def add(self, operation: Operation) -> int:
        """Append an operation; gives its position."""
        self.operations.append(operation)
        return len(self.operations) - 1

    def run(self, rewrite: Callable[[int, Operation], int]) -> Program:
        """Give every operation, its operands already moved, to ``rewrite``."""
        for index, operation in enumerate(self.program.operations):
            args = tuple(self.moved[arg] for arg in operation.args)
            self.moved[index] = rewrite(index, replace(operation, args=args))
        lines = tuple(
            replace(line, index=self.moved[line.index]) for line in self.program.assignments
        )
        return replace(self.program, operations=tuple(self.operations), assignments=lines)


def is_random(operation: Operation) -> bool:
    """Whether it draws a mask, so that two equal ones differ."""
    return operation.op in FUNCTIONS and FUNCTIONS[operation.op].kind == "random"


def new_name(wanted: str, taken: Container[str]) -> str:
    """A name not taken yet: ``wanted``, ``wanted_2``, ..."""
    names = (wanted if n == 1 else f"{wanted}_{n}" for n in count(1))
    return next(name for name in names if name not in taken)


def canonical(program: Program) -> Program:
    """The same program as parsing its text gives it.

    Operations stand in the order of use, equal ones are one, what no line needs is gone.
    A random value used more than once gets a line of its own, since its text written
    twice would be two masks.
    """
    program = _with_shared_random_values_named(program)
    own = set(program.indices.values())
    operations: list[Operation] = []
    known: dict[Operation, int] = {}
    moved: dict[int, int] = {}
    for line in program.assignments:
        for index in _in_order(program, line.index, moved):
            old = program.operations[index]
            new = replace(old, args=tuple(moved[arg] for arg in old.args))
            is_single = is_random(old) or (old.op == "constant" and index in own)
            if is_single or new not in known:
                moved[index] = len(operations)
                operations.append(new)
            else:
                moved[index] = known[new]
            if not is_single:
                known[new] = moved[index]
    weights = {weight.name: weight for weight in program.weights}
    order = dict.fromkeys(op.name for op in operations if op.op == "weight")
    return replace(
        program,
        operations=tuple(operations),
        assignments=tuple(replace(a, index=moved[a.index]) for a in program.assignments),
        weights=tuple(weights[name] for name in order),
    )


def _with_shared_random_values_named(program: Program) -> Program:
    shared = _random_values_written_again(program)
    lines: list[Assignment] = []
    taken = set(program.names)
    seen: set[int] = set()
    for line in program.assignments:
        for index in _in_order(program, line.index, seen):
            seen.add(index)
            if index in shared:
                origin = _origin(program, index)
                name = new_name(f"{program.operations[index].op}_{origin}", taken)
                taken.add(name)
                lines.append(Assignment(name, index))
        lines.append(line)
    return replace(program, assignments=tuple(lines))


def _random_values_written_again(program: Program) -> set[int]:
    """Positions of nameless random values that the text would hold more than once."""
    named = set(program.indices.values())
    found: set[int] = set()
    times: Counter[int] = Counter()
    for index in sorted(program.ancestors(named), reverse=True):
        operation = program.operations[index]
        if index not in named and is_random(operation) and times[index] > 1:
            found.add(index)
        is_once = index in named or index in found
        for arg in operation.args:
            times[arg] += 1 if is_once else times[index]
    return found


def _origin(program: Program, index: int) -> str:
    """The name of what a random function acts on."""
    operand = program.operations[index].args[0]
    names = {position: name for name, position in program.indices.items()}
    return names.get(operand) or program.operations[operand].name or "value"


def _in_order(program: Program, target: int, done: Container[int]) -> list[int]:
    """What computing ``target`` needs and is not done, operands first, from left to right."""
    order: dict[int, None] = {}

    def visit(index: int) -> None:
        if index not in done and index not in order:
            for arg in program.operations[index].args:
                visit(arg)
            order[index] = None

    visit(target)
    return list(order)
