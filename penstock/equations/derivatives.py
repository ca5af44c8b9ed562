"""How each element-wise operation passes a gradient on, in operations of a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["RULES", "Rule", "Way"]


class Way(Protocol):
    """What a rule needs of the derivation of a way back."""

    def operands(self, index: int) -> tuple[int, ...]:
        """The operands of a forward node."""

    def value(self, index: int) -> int:
        """The value of a forward node, on the way back."""

    def apply(self, op: str, *args: int) -> int:
        """An element-wise operation on the way back."""

    def number(self, value: float) -> int:
        """A constant on the way back."""

    def is_number(self, index: int) -> bool:
        """Whether a forward node is a constant, which needs no gradient."""


Parts = tuple[int | None, ...]
Rule = Callable[[Way, int, int], Parts]
"""Takes a forward node and its gradient; gives the gradient of each operand."""


def _of_value(op: str) -> Rule:
    """A derivative known from the function's value: ``op(dy, y)``."""
    return lambda a, index, dy: (a.apply(op, dy, a.value(index)),)


def _of_operand(slope: Callable[[Way, int], int]) -> Rule:
    """A derivative known from the operand: ``dy * slope(x)``."""
    return lambda a, i, dy: (a.apply("mul", dy, slope(a, a.value(a.operands(i)[0]))),)


def _mul(a: Way, index: int, dy: int) -> Parts:
    left, right = a.operands(index)
    return tuple(
        None if a.is_number(arg) else a.apply("mul", dy, a.value(other))
        for arg, other in ((left, right), (right, left))
    )


def _div(a: Way, index: int, dy: int) -> Parts:
    right = a.operands(index)[1]
    left_part = a.apply("div", dy, a.value(right))
    if a.is_number(right):
        return left_part, None
    return left_part, a.apply("neg", a.apply("mul", left_part, a.value(index)))


def _extreme(larger: bool) -> Rule:
    """The gradient goes to the one that was taken, by halves if they were equal."""

    def rule(a: Way, index: int, dy: int) -> Parts:
        left, right = (a.value(arg) for arg in a.operands(index))
        left_won, right_won = a.apply("wins", left, right), a.apply("wins", right, left)
        shares = (left_won, right_won) if larger else (right_won, left_won)
        return a.apply("mul", dy, shares[0]), a.apply("mul", dy, shares[1])

    return rule


def _silu_slope(a: Way, x: int) -> int:
    s = a.apply("sigmoid", x)
    rest = a.apply("mul", x, a.apply("sub", a.number(1.0), s))
    return a.apply("mul", s, a.apply("add", a.number(1.0), rest))


def _within(low: float, high: float) -> Callable[[Way, int], int]:
    """1 strictly between two bounds, else 0."""

    def slope(a: Way, x: int) -> int:
        above = a.apply("positive", a.apply("sub", x, a.number(low)))
        below = a.apply("positive", a.apply("sub", a.number(high), x))
        return a.apply("mul", above, below)

    return slope


def _softsign_slope(a: Way, x: int) -> int:
    away = a.apply("add", a.number(1.0), a.apply("abs", x))
    return a.apply("div", a.number(1.0), a.apply("mul", away, away))


def _leaky_slope(a: Way, x: int) -> int:
    part = a.apply("mul", a.number(0.99), a.apply("positive", x))
    return a.apply("add", a.number(0.01), part)


def _elu_slope(a: Way, x: int) -> int:
    return a.apply("exp", a.apply("minimum", x, a.number(0.0)))


RULES: dict[str, Rule] = {
    "add": lambda a, i, dy: (dy, dy),
    "sub": lambda a, i, dy: (dy, a.apply("neg", dy)),
    "neg": lambda a, i, dy: (a.apply("neg", dy),),
    "mul": _mul,
    "div": _div,
    "maximum": _extreme(larger=True),
    "minimum": _extreme(larger=False),
    "sigmoid": _of_value("dsigmoid"),
    "tanh": _of_value("dtanh"),
    "exp": _of_value("mul"),
    "relu": lambda a, i, dy: (a.apply("mul", dy, a.apply("positive", a.value(i))),),
    "sqrt": lambda a, i, dy: (a.apply("mul", a.number(0.5), a.apply("div", dy, a.value(i))),),
    "log": lambda a, i, dy: (a.apply("div", dy, a.value(a.operands(i)[0])),),
    "abs": _of_operand(lambda a, x: a.apply("sign", x)),
    "sin": _of_operand(lambda a, x: a.apply("cos", x)),
    "cos": _of_operand(lambda a, x: a.apply("neg", a.apply("sin", x))),
    "square": _of_operand(lambda a, x: a.apply("mul", a.number(2.0), x)),
    "softplus": _of_operand(lambda a, x: a.apply("sigmoid", x)),
    "softsign": _of_operand(_softsign_slope),
    "hard_sigmoid": _of_operand(
        lambda a, x: a.apply("mul", a.number(1 / 6), _within(-3.0, 3.0)(a, x))
    ),
    "hard_tanh": _of_operand(_within(-1.0, 1.0)),
    "leaky_relu": _of_operand(_leaky_slope),
    "elu": _of_operand(_elu_slope),
    "silu": _of_operand(_silu_slope),
    "gelu": _of_operand(lambda a, x: a.apply("gelu_slope", x)),
}
"""How each element-wise operation passes a gradient on."""
