"""The functions a cell's equations may call, and how each behaves."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FUNCTIONS", "OPERATORS", "Function"]


@dataclass(frozen=True)
class Function:
    """What the language knows of a function.

    Attributes:
        operands: how many values it takes (a probability comes after them).
        kind: "elementwise"; "reduction" (a row in, a row out), "scalar reduction"
            (a row in, one number out), "random" (a regulariser that draws a mask) or "source"
            (with an entry or a column for each source word).
        latex: how it is written in mathematics, without the argument.
    """

    operands: int = 1
    kind: str = "elementwise"
    latex: str = ""


FUNCTIONS: dict[str, Function] = {
    "sigmoid": Function(latex=r"\sigma"),
    "tanh": Function(latex=r"\tanh"),
    "relu": Function(),
    "exp": Function(latex=r"\exp"),
    "log": Function(latex=r"\log"),
    "sqrt": Function(),
    "abs": Function(),
    "sin": Function(latex=r"\sin"),
    "cos": Function(latex=r"\cos"),
    "square": Function(),
    "softplus": Function(),
    "softsign": Function(),
    "hard_sigmoid": Function(),
    "hard_tanh": Function(),
    "leaky_relu": Function(),
    "elu": Function(),
    "silu": Function(),
    "gelu": Function(),
    "maximum": Function(operands=2, latex=r"\max"),
    "minimum": Function(operands=2, latex=r"\min"),
    "layernorm": Function(kind="reduction"),
    "softmax": Function(kind="reduction"),
    "mean": Function(kind="scalar reduction"),
    "sum": Function(kind="scalar reduction"),
    "outer": Function(operands=2, kind="source"),
    "positions": Function(kind="source"),
    "dropout": Function(kind="random"),
    "step_dropout": Function(kind="random"),
    "zoneout": Function(operands=2, kind="random"),
    "weight_drop": Function(kind="random"),
}

OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "matmul": "@"}
