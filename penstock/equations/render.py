"""Program -> text, LaTeX, MathML, graph.

The text is the language itself: parsing it gives the same program again, so it
is also how a model folder stores its cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from penstock.equations.functions import FUNCTIONS, OPERATORS
from penstock.equations.program import Initial, Operation, Program, Shape

__all__ = ["graph", "latex", "mathml", "text"]

_PRECEDENCE = {"add": 1, "sub": 1, "mul": 2, "div": 2, "matmul": 2, "neg": 3}
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi "
    "psi omega"
).split()


class _Notation:
    """Writes the operations of a program in some notation, names for named values."""

    def __init__(self, program: Program, named: dict[int, str]) -> None:
        self.program = program
        self.named = named

    def expression(self, index: int, outer: int = 0, *, top: bool = False) -> str:
        """The value at ``index``, in parentheses where the operator around it binds tighter."""
        if index in self.named and not top:
            return self.name(self.named[index])
        operation = self.program.operations[index]
        if operation.op not in _PRECEDENCE:
            return self.atom(operation)
        inner = _PRECEDENCE[operation.op]
        if operation.op == "neg":
            body = self.negation(self.expression(operation.args[0], inner))
        else:
            left, right = operation.args
            body = self.binary(
                operation.op, self.expression(left, inner), self.expression(right, inner + 1)
            )
        return self.parentheses(body) if inner < outer else body

    def name(self, name: str) -> str:
        return name

    def parentheses(self, body: str) -> str:
        return f"({body})"

    def negation(self, body: str) -> str:
        return f"-{body}"

    def binary(self, op: str, left: str, right: str) -> str:
        return f"{left} {OPERATORS[op]} {right}"

    def atom(self, operation: Operation) -> str:
        """Leaves, transposes and calls, in the language itself."""
        match operation.op:
            case "input" | "state":
                delay = f"[t-{operation.delay}]" if operation.delay else ""
                return operation.name + delay
            case "weight" | "noise":
                return operation.name
            case "constant":
                return _number(operation.value)
            case "transpose":
                return f"{self.expression(operation.args[0], 9)}.T"
        args = [self.expression(arg) for arg in operation.args]
        if FUNCTIONS[operation.op].kind == "random":
            args.append(_number(operation.value))
        return f"{operation.op}({', '.join(args)})"


class _Latex(_Notation):
    """Mathematics as LaTeX writes it."""

    def name(self, name: str) -> str:
        return _latex_name(name, "_t")

    def parentheses(self, body: str) -> str:
        return rf"\left({body}\right)"

    def binary(self, op: str, left: str, right: str) -> str:
        if op == "div":
            return rf"\frac{{{left}}}{{{right}}}"
        sign = {"mul": r" \odot ", "matmul": r" "}.get(op, f" {OPERATORS[op]} ")
        return left + sign + right

    def atom(self, operation: Operation) -> str:
        match operation.op:
            case "input" | "state":
                step = f"t-{operation.delay}" if operation.delay else "t"
                return _latex_name(operation.name, f"_{{{step}}}")
            case "weight" | "noise":
                return _latex_name(operation.name, "")
            case "constant":
                return _number(operation.value)
            case "transpose":
                return rf"{self.expression(operation.args[0], 9)}^\top"
        args = [self.expression(arg) for arg in operation.args]
        name = FUNCTIONS[operation.op].latex or rf"\mathrm{{{_escape(operation.op)}}}"
        return rf"{name}\left({', '.join(args)}\right)"


class _MathML(_Notation):
    """Mathematics as a browser draws it."""

    def name(self, name: str) -> str:
        return _mathml_name(name, "t")

    def parentheses(self, body: str) -> str:
        return f"<mrow><mo>(</mo>{body}<mo>)</mo></mrow>"

    def negation(self, body: str) -> str:
        return f"<mrow><mo>−</mo>{body}</mrow>"

    def binary(self, op: str, left: str, right: str) -> str:
        if op == "div":
            return f"<mfrac><mrow>{left}</mrow><mrow>{right}</mrow></mfrac>"
        sign = {"mul": "⊙", "matmul": "&#8290;", "sub": "−"}.get(op, OPERATORS[op])
        return f"<mrow>{left}<mo>{sign}</mo>{right}</mrow>"

    def atom(self, operation: Operation) -> str:
        match operation.op:
            case "input" | "state":
                step = f"t−{operation.delay}" if operation.delay else "t"
                return _mathml_name(operation.name, step)
            case "weight" | "noise":
                return _mathml_name(operation.name, "")
            case "constant":
                return f"<mn>{_number(operation.value)}</mn>"
            case "transpose":
                body = self.expression(operation.args[0], 9)
                return f"<msup>{body}<mo>⊤</mo></msup>"
        args = "<mo>,</mo>".join(self.expression(arg) for arg in operation.args)
        name = "σ" if operation.op == "sigmoid" else escape(operation.op)
        return f"<mrow><mi>{name}</mi><mo>(</mo>{args}<mo>)</mo></mrow>"


def text(program: Program) -> str:
    """The program in the language of equations.

    >>> from penstock.equations import parse
    >>> print(text(parse("h=tanh( (W@x) +b ) # state")))
    h = tanh(W @ x + b)    # state
    """
    lines = _declarations(program)
    equations = _lines(program, _Notation, "{name} = {value}")
    width = max(map(len, equations))
    for line, assignment in zip(equations, program.assignments, strict=True):
        comment = assignment.comment
        lines.append(f"{line:{width}}    # {comment}" if comment else line)
    if program.output != "h":
        lines.append(f"return {program.output}")
    return "\n".join(lines)


def latex(program: Program) -> str:
    r"""The program as a LaTeX ``aligned`` block.

    >>> from penstock.equations import parse
    >>> print(latex(parse("h = tanh(W @ x + U @ h[t-1])")))
    \begin{aligned}
    h_t &= \tanh\left(W x_{t} + U h_{t-1}\right)
    \end{aligned}
    """
    lines = _lines(program, _Latex, "{name} &= {value}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def mathml(program: Program) -> str:
    """The program as a MathML table, one row an equation."""
    rows = _lines(
        program,
        _MathML,
        "<mtr><mtd>{name}</mtd><mtd><mo>=</mo></mtd><mtd><mrow>{value}</mrow></mtd></mtr>",
    )
    body = "".join(rows)
    return f'<math display="block"><mtable columnalign="right center left">{body}</mtable></math>'


def graph(program: Program) -> str:
    """The program as a Graphviz digraph: operations are nodes, operands are arrows."""
    names = {index: name for name, index in program.indices.items()}
    lines = [f'digraph "{program.name}" {{', "  rankdir=BT;"]
    for index, operation in enumerate(program.operations):
        leaf = _Notation(program, {}).atom(operation) if not operation.args else operation.op
        label = f"{names[index]} = {leaf}" if index in names else leaf
        lines.append(f'  n{index} [label="{label}"];')
        lines.extend(f"  n{arg} -> n{index};" for arg in operation.args)
    return "\n".join([*lines, "}"])


def _lines(program: Program, notation: Callable[..., _Notation], form: str) -> list[str]:
    """Every assignment, each written with the names assigned before it."""
    named: dict[int, str] = {}
    lines = []
    for assignment in program.assignments:
        writer = notation(program, named)
        again = assignment.index in named
        value = writer.expression(assignment.index, top=not again)
        lines.append(form.format(name=writer.name(assignment.name), value=value))
        named.setdefault(assignment.index, assignment.name)
    return lines


def _declarations(program: Program) -> list[str]:
    extra = dict(program.sizes)
    lines = [f"{name}: size = {default!r}" for name, default in extra.items()]
    shapes: dict[str, Shape] = {
        line.name: program.operations[line.index].shape for line in program.assignments
    }
    for name, shape in shapes.items():
        if set(shape) & {*extra, "D"} and (set(shape) & set(extra) or name in program.states):
            lines.append(f"{name}: {_shape(shape)}")
    for weight in program.weights:
        if not weight.shape or set(weight.shape) & set(extra) or weight.initial is not None:
            start = "" if weight.initial is None else f" = {_initial(weight.initial)}"
            lines.append(f"{weight.name}: {_shape(weight.shape)}{start}")
    return lines


def _shape(shape: Shape) -> str:
    return {0: "scalar", 1: "".join(shape)}.get(len(shape), f"({', '.join(shape)})")


def _initial(initial: Initial) -> str:
    if isinstance(initial, tuple):
        return f"uniform({_number(initial[1])}, {_number(initial[2])})"
    return initial if isinstance(initial, str) else repr(initial)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _escape(name: str) -> str:
    return name.replace("_", r"\_")


def _split(name: str) -> tuple[str, str]:
    base, _, subscript = name.partition("_")
    match = re.fullmatch(r"([^\W\d]+)(\d+)", base)
    if match and not subscript:
        base, subscript = match.groups()
    return base, subscript


def _latex_name(name: str, step: str) -> str:
    base, subscript = _split(name)
    if base in _GREEK:
        base = rf"\{base}"
    elif len(base) > 1:
        base = rf"\mathit{{{_escape(base)}}}"
    if subscript:
        base = rf"{base}^{{({_escape(subscript)})}}" if step else rf"{base}_{{{_escape(subscript)}}}"
    return base + step


def _mathml_name(name: str, step: str) -> str:
    base, subscript = _split(name)
    letter = f"<mi>{f'&{base};' if base in _GREEK else escape(base)}</mi>"
    if step and subscript:
        return f"<msubsup>{letter}<mi>{step}</mi><mi>({escape(subscript)})</mi></msubsup>"
    if step or subscript:
        return f"<msub>{letter}<mi>{step or escape(subscript)}</mi></msub>"
    return letter
