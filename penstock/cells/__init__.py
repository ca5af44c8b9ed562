"""The zoo: one family a file, each cell = citation + equations + start values."""

from penstock.cells import (
    context,
    dynamics,
    elman,
    fast,
    gru,
    highway,
    lstm,
    lstm_variants,
    minimal,
    mut,
    nas,
    parallel,
    peephole,
    typed,
)
from penstock.cells.base import CELLS, Cell, as_program

__all__ = [
    "CELLS",
    "Cell",
    "as_program",
    "context",
    "dynamics",
    "elman",
    "fast",
    "gru",
    "highway",
    "lstm",
    "lstm_variants",
    "minimal",
    "mut",
    "nas",
    "parallel",
    "peephole",
    "typed",
]
