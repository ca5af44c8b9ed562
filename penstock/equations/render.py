"""Program -> text and graph; LaTeX and MathML come from :mod:`~penstock.equations.mathematics`.

The text is the language itself: parsing it gives the same program again, so it
is also how a model folder stores its cell.
"""

from __future__ import annotations

from penstock.equations.mathematics import latex, mathml
from penstock.equations.notation import Notation, write_lines, write_number
from penstock.equations.program import Initial, Program, Shape

__all__ = ["graph", "latex", "mathml", "text"]


def text(program: Program) -> str:
    """The program in the language of equations.

    >>> from penstock.equations import parse
    >>> print(text(parse("h=tanh( (W@x) +b ) # state")))
    h = tanh(W @ x + b)    # state
    """
    lines = _declarations(program)
    equations = write_lines(program, Notation, "{name} = {value}")
    width = max(map(len, equations))
    for line, assignment in zip(equations, program.assignments, strict=True):
        comment = assignment.comment
        lines.append(f"{line:{width}}    # {comment}" if comment else line)
    if program.output != "h":
        lines.append(f"return {program.output}")
    return "\n".join(lines)


def graph(program: Program) -> str:
    """The program as a Graphviz digraph: operations are nodes, operands are arrows."""
    names = {index: name for name, index in program.indices.items()}
    title = program.name.replace("\\", "\\\\").replace('"', '\\"')
    lines = [f'digraph "{title}" {{', "  rankdir=BT;"]
    for index, operation in enumerate(program.operations):
        leaf = Notation(program, {}).atom(operation) if not operation.args else operation.op
        label = f"{names[index]} = {leaf}" if index in names else leaf
        lines.append(f'  n{index} [label="{label}"];')
        lines.extend(f"  n{arg} -> n{index};" for arg in operation.args)
    return "\n".join([*lines, "}"])


def _declarations(program: Program) -> list[str]:
    """What the equations alone leave open: extra sizes, unusual shapes, start values."""
    lines = [f"{name}: size = {default!r}" for name, default in program.sizes]
    as_input = _as_wide_as_the_input(program)
    kept = {program.output, *program.states}
    for line in program.assignments:
        shape = program.operations[line.index].shape
        inferred = "H" if line.name in kept or line.index not in as_input else "D"
        if not _is_plain(shape, inferred) or (line.name in program.states and not shape):
            lines.append(f"{line.name}: {_shape(shape)}")
    of_input = {
        program.operations[operation.args[0]].name
        for operation in program.operations
        if operation.op == "matmul" and operation.args[1] in as_input
    }
    for weight in program.weights:
        columns = ("D" if weight.name in of_input else "H",) if weight.name[0].isupper() else ()
        start = "" if weight.initial is None else f" = {_initial(weight.initial)}"
        if start or weight.shape != ("H", *columns):
            lines.append(f"{weight.name}: {_shape(weight.shape)}{start}")
    return lines


def _is_plain(shape: Shape, inferred: str) -> bool:
    """Whether a value's shape needs no declaration."""
    return not shape or shape == (inferred,) or set(shape) == {"H"}


def _as_wide_as_the_input(program: Program) -> set[int]:
    """Positions of vectors made from x element by element, which are D wide."""
    found: set[int] = set()
    for index, operation in enumerate(program.operations):
        is_made_from = operation.op != "matmul" and not found.isdisjoint(operation.args)
        if operation.shape == ("D",) and (operation.op == "input" or is_made_from):
            found.add(index)
    return found


def _shape(shape: Shape) -> str:
    return {0: "scalar", 1: "".join(shape)}.get(len(shape), f"({', '.join(shape)})")


def _initial(initial: Initial) -> str:
    if isinstance(initial, tuple):
        return f"uniform({write_number(initial[1])}, {write_number(initial[2])})"
    return initial if isinstance(initial, str) else repr(initial)
