"""``penstock cells [NAME]``: the zoo."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Annotated

import typer

from penstock.cells import CELLS, Cell
from penstock.cli.options import Json
from penstock.equations import render
from penstock.equations.describe import describe
from penstock.equations.plan import plan
from penstock.errors import ConfigError

__all__ = ["cells"]

_SIZE = 100
_WIDE = 240
"""Characters of a line of the list where it goes to a file or a program."""


def cells(
    name: Annotated[str, typer.Argument(help="a cell; without it, all are listed")] = "",
    *,
    latex: Annotated[bool, typer.Option("--latex", help="the equations as LaTeX")] = False,
    as_plan: Annotated[bool, typer.Option("--plan", help="what runs where, and why")] = False,
    graph: Annotated[bool, typer.Option("--graph", help="the equations as Graphviz")] = False,
    as_json: Json = False,
) -> None:
    """List the cells, or show one: equations, weights, what runs in every step."""
    if not name:
        if latex or graph or as_plan:
            raise ConfigError("cells: expected the name of a cell with --latex, --graph or --plan.")
        _list(as_json)
        return
    cell = CELLS[name]
    if latex or graph:
        print(render.latex(cell.program()) if latex else render.graph(cell.program()))
    elif as_plan:
        from penstock.layers.recurrent import Recurrent

        print(Recurrent(cell, _SIZE, _SIZE).plan())
    elif as_json:
        print(json.dumps(_facts(cell)))
    else:
        print(_page(cell))


def count(cell: type[Cell], input_size: int = _SIZE, hidden_size: int = _SIZE) -> int:
    """Number of weights at some sizes."""
    sizes = cell.program().resolve(input_size, hidden_size)
    total = 0
    for weight in cell.program().weights:
        number = 1
        for size in weight.shape:
            number *= sizes[size]
        total += number
    return total


def _list(as_json: bool) -> None:
    if as_json:
        for cell in CELLS.values():
            print(json.dumps(_facts(cell)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("cell", no_wrap=True)
    table.add_column(f"weights (D=H={_SIZE})", justify="right")
    table.add_column("what it is")
    table.add_column("source")
    for name, cell in CELLS.items():
        table.add_row(name, f"{count(cell):,}", cell.title(), cell.citation())
    width = None if sys.stdout.isatty() else _WIDE
    Console(markup=False, highlight=False, width=width).print(table)


def _facts(cell: type[Cell]) -> dict[str, object]:
    program = cell.program()
    return {
        "name": cell.name,
        "title": cell.title(),
        "citation": cell.citation(),
        "notes": cell.notes(),
        "equations": render.text(program),
        "weights": {weight.name: list(weight.shape) for weight in program.weights},
        "states": list(program.states),
        "count": count(cell),
    }


def _page(cell: type[Cell]) -> str:
    program = cell.program()
    rows = [
        f"  {weight.name:10} {' x '.join(weight.shape) or 'scalar':10}"
        + (f" starts at {weight.initial}" if weight.initial is not None else "")
        for weight in program.weights
    ]
    parts = [
        f"{cell.name}: {cell.title()}",
        cell.citation(),
        textwrap.indent(render.text(program), "  "),
        textwrap.fill(cell.notes(), 96) if cell.notes() else "",
        f"weights ({count(cell):,} at D = H = {_SIZE}):\n" + "\n".join(rows),
        f"states: {', '.join(program.states) or 'none'}; output: {program.output}",
        "what runs when:\n" + textwrap.indent(describe(plan(program)), "  "),
    ]
    return "\n\n".join(part for part in parts if part)
