"""Writing the operations of a Program as expressions, in some notation."""

from __future__ import annotations

from collections.abc import Callable

from penstock.equations.functions import FUNCTIONS, OPERATORS
from penstock.equations.program import Operation, Program

__all__ = ["Notation", "write_lines", "write_number"]

PRECEDENCE = {"add": 1, "sub": 1, "mul": 2, "div": 2, "matmul": 2, "neg": 3}
TIGHTEST = 4


class Notation:
    """The language itself; subclasses write the same expressions in other notations.

    Args:
        program: what to write.
        named: position to name, of the values that have been written before.
    """

    def __init__(self, program: Program, named: dict[int, str]) -> None:
        self.program = program
        self.named = named

    def expression(self, index: int, outer: int = 0, *, top: bool = False) -> str:
        """The value at ``index``, in parentheses where the operator around it binds tighter."""
        if index in self.named and not top:
            return self.name(self.named[index], index)
        operation = self.program.operations[index]
        if operation.op not in PRECEDENCE:
            return self.atom(operation)
        inner = PRECEDENCE[operation.op]
        if operation.op == "neg":
            body = self.negation(self.expression(operation.args[0], inner))
        else:
            body = self.binary(operation, inner)
        return self.parentheses(body) if inner < outer else body

    def name(self, name: str, index: int) -> str:
        """The name of the value at ``index``."""
        return name

    def parentheses(self, body: str) -> str:
        """``(body)``."""
        return f"({body})"

    def negation(self, body: str) -> str:
        """``-body``."""
        return f"-{body}"

    def binary(self, operation: Operation, inner: int) -> str:
        """``left + right`` and the like; all of them group to the left."""
        left, right = operation.args
        sign = OPERATORS[operation.op]
        return f"{self.expression(left, inner)} {sign} {self.expression(right, inner + 1)}"

    def atom(self, operation: Operation) -> str:
        """Leaves, transposes and calls."""
        match operation.op:
            case "input" | "state":
                delay = f"[t-{operation.delay}]" if operation.delay else ""
                return operation.name + delay
            case "weight" | "noise" | "memory":
                return operation.name
            case "constant":
                return write_number(operation.value)
            case "transpose":
                return f"{self.expression(operation.args[0], TIGHTEST)}.T"
        return f"{operation.op}({', '.join(self.arguments(operation))})"

    def arguments(self, operation: Operation) -> list[str]:
        """What stands between the parentheses of a call."""
        args = [self.expression(arg) for arg in operation.args]
        is_random = FUNCTIONS[operation.op].kind == "random"
        return [*args, write_number(operation.value)] if is_random else args


def write_lines(program: Program, notation: Callable[..., Notation], form: str) -> list[str]:
    """Every assignment as ``form`` says, each with the names assigned before it."""
    named: dict[int, str] = {}
    lines = []
    for line in program.assignments:
        writer = notation(program, named)
        value = writer.expression(line.index, top=line.index not in named)
        lines.append(form.format(name=writer.name(line.name, line.index), value=value))
        named.setdefault(line.index, line.name)
    return lines


def write_number(value: float) -> str:
    """The shortest text of a number: ``2``, ``0.5``, ``1e-08``."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
