"""What the native machine can do to a tile, and an instruction to do it."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.equations.loop import Block, Node

__all__ = ["CODES", "LOOKS", "ROW_BY_ROW", "TILE", "Coded", "Instruction", "look"]

TILE = 16
"""Hidden units that are computed together."""

OPERATIONS = (
    *("token", "tiled", "previous", "sequence", "vector", "state", "temp", "constant"),
    *("sum", "largest"),
    "matmul",
    *("store token", "store tiled", "store state", "store temp", "store sum", "store largest"),
    "accumulate",
    *("select", "add", "sub", "mul", "div", "maximum", "minimum", "wins", "dsigmoid", "dtanh"),
    *("add number", "mul number", "from number", "add vector", "mul vector"),
    *("neg", "sigmoid", "tanh", "relu", "exp", "log", "sqrt", "abs", "sin", "cos", "square"),
    *("softplus", "softsign", "hard_sigmoid", "hard_tanh", "leaky_relu", "elu", "silu", "gelu"),
    *("gelu_slope", "positive", "sign"),
    *("attend", "attend back"),
)
"""In the order of ``enum class Op`` in ``native/program.h``."""

CODES = {name: code for code, name in enumerate(OPERATIONS)}

LOOKS = ("attend", "attend back")
"""What goes row by row, over the words of a source."""
ROW_BY_ROW = 0
"""Width of a group that does not go tile by tile."""

Coded = tuple[int, int, int, int, int, int, int, float]
"""An instruction as the machine takes it."""


@dataclass
class Instruction:
    """An instruction on values that have no slot yet."""

    op: str
    results: Block = ()
    operands: Block = ()
    i: int = 0
    j: int = 0
    k: int = 0
    value: float = 0.0


def look(node: Node) -> Coded:
    """The one instruction of a group that goes row by row."""
    return CODES[node.op], 0, 0, 0, 0, 0, 0, 0.0
