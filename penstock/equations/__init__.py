"""The language a cell is written in: text -> Program -> text, LaTeX, MathML, plan."""

from penstock.equations.parse import parse
from penstock.equations.program import Operation, Program, Weight

__all__ = ["Operation", "Program", "Weight", "parse"]
