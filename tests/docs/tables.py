"""The table of cells in ``docs/cells.md``: ``python -m tests.docs.tables`` brings it up to date."""

from __future__ import annotations

from itertools import groupby

from penstock.cells import CELLS
from penstock.cli.cells import count
from penstock.equations.plan import plan
from tests.docs.documents import ROOT

PAGE = ROOT / "docs" / "cells.md"
BEGIN, END = "<!-- cells -->\n", "<!-- end -->\n"


def cells_table() -> str:
    """One row a cell, the families in the order of their files."""
    families = groupby(
        sorted(CELLS.values(), key=lambda cell: cell.__module__), lambda c: c.__module__
    )
    lines = [
        "| cell | what it is | source | weights | products |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    for _, family in families:
        for cell in family:
            products = plan(cell.program()).products_per_step
            about = f"`{cell.name}` | {cell.title()} | {cell.citation()}"
            lines.append(f"| {about} | {count(cell):,} | {products} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """The page with the table of today."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + cells_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
