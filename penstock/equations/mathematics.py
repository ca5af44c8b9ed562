"""Program -> LaTeX and MathML: the equations as a paper prints them."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import ClassVar

from penstock.equations.functions import FUNCTIONS
from penstock.equations.notation import TIGHTEST, Notation, write_lines, write_number
from penstock.equations.program import Operation, Program

__all__ = ["latex", "mathml"]

_LETTERS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi pi rho sigma tau upsilon phi
chi psi omega
"""
GREEK = frozenset(_LETTERS.split())


def latex(program: Program) -> str:
    r"""The program as a LaTeX ``aligned`` block.

    >>> from penstock.equations import parse
    >>> print(latex(parse("h = tanh(W @ x + U @ h[t-1])")))
    \begin{aligned}
    h_t &= \tanh\left(W x_t + U h_{t-1}\right)
    \end{aligned}
    """
    lines = write_lines(program, _Latex, "{name} &= {value}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def mathml(program: Program) -> str:
    """The program as a MathML table, one row an equation."""
    rows = write_lines(
        program,
        _MathML,
        "<mtr><mtd>{name}</mtd><mtd><mo>=</mo></mtd><mtd><mrow>{value}</mrow></mtd></mtr>",
    )
    body = "".join(rows)
    return f'<math display="block"><mtable columnalign="right center left">{body}</mtable></math>'


class _Mathematics(Notation):
    """What LaTeX and MathML share: names with steps, and which sign a product takes."""

    def name(self, name: str, index: int) -> str:
        leaves = self.program.ancestors([index])
        changes = any(self.program.operations[leaf].op in ("input", "state") for leaf in leaves)
        return self.symbol(name, 0 if changes else None)

    def symbol(self, name: str, delay: int | None) -> str:
        """A name, with its step unless it is the same in all steps."""
        raise NotImplementedError

    def leaf(self, operation: Operation) -> str | None:
        """An input, state, weight, noise or memory; None for anything else."""
        if operation.op in ("input", "state"):
            return self.symbol(operation.name, operation.delay)
        is_leaf = operation.op in ("weight", "noise", "memory")
        return self.symbol(operation.name, None) if is_leaf else None

    def sign(self, operation: Operation) -> str:
        """Key of :attr:`signs`; a scalar needs no sign, but a number after it does."""
        left, right = (self.program.operations[arg] for arg in operation.args)
        if operation.op != "mul" or (left.shape and right.shape):
            return operation.op
        return "dot" if right.op == "constant" else "scale"


class _Latex(_Mathematics):
    signs: ClassVar = {
        "add": " + ",
        "sub": " - ",
        "mul": r" \odot ",
        "matmul": " ",
        "scale": r" \, ",
        "dot": r" \cdot ",
    }

    def symbol(self, name: str, delay: int | None) -> str:
        base, subscript = _split(name)
        if base in GREEK:
            base = rf"\{base}"
        elif len(base) > 1:
            base = rf"\mathit{{{_latex_text(base)}}}"
        if subscript[:2].isalpha() and len(subscript) > 1:
            subscript = rf"\mathrm{{{subscript}}}"
        subscript = _latex_text(subscript)
        if delay is None:
            return f"{base}_{{{subscript}}}" if subscript else base
        step = f"_{{t-{delay}}}" if delay else "_t"
        return f"{base}^{{({subscript})}}{step}" if subscript else base + step

    def parentheses(self, body: str) -> str:
        return rf"\left({body}\right)"

    def binary(self, operation: Operation, inner: int) -> str:
        left, right = operation.args
        if operation.op == "div":
            return rf"\frac{{{self.expression(left)}}}{{{self.expression(right)}}}"
        sign = self.signs[self.sign(operation)]
        return self.expression(left, inner) + sign + self.expression(right, inner + 1)

    def atom(self, operation: Operation) -> str:
        leaf = self.leaf(operation)
        if leaf is not None:
            return leaf
        if operation.op == "constant":
            return _latex_number(operation.value)
        if operation.op == "transpose":
            return rf"{self.expression(operation.args[0], TIGHTEST)}^\top"
        name = FUNCTIONS[operation.op].latex or rf"\mathrm{{{_latex_text(operation.op)}}}"
        return rf"{name}\left({', '.join(self.arguments(operation))}\right)"


class _MathML(_Mathematics):
    signs: ClassVar = {
        "add": "+",
        "sub": "−",
        "mul": "⊙",
        "matmul": "&#8290;",
        "scale": "&#8290;",
        "dot": "⋅",
    }

    def symbol(self, name: str, delay: int | None) -> str:
        base, subscript = _split(name)
        letter = f"<mi>{unescape(f'&{base};') if base in GREEK else escape(base)}</mi>"
        below = f"<mi>{escape(subscript)}</mi>"
        if delay is None:
            return f"<msub>{letter}{below}</msub>" if subscript else letter
        step = f"<mrow><mi>t</mi><mo>−</mo><mn>{delay}</mn></mrow>" if delay else "<mi>t</mi>"
        if not subscript:
            return f"<msub>{letter}{step}</msub>"
        return f"<msubsup>{letter}{step}<mrow><mo>(</mo>{below}<mo>)</mo></mrow></msubsup>"

    def parentheses(self, body: str) -> str:
        return f"<mrow><mo>(</mo>{body}<mo>)</mo></mrow>"

    def negation(self, body: str) -> str:
        return f"<mrow><mo>−</mo>{body}</mrow>"

    def binary(self, operation: Operation, inner: int) -> str:
        left, right = operation.args
        if operation.op == "div":
            return f"<mfrac>{self.expression(left)}{self.expression(right)}</mfrac>"
        sign = f"<mo>{self.signs[self.sign(operation)]}</mo>"
        terms = self.expression(left, inner) + sign + self.expression(right, inner + 1)
        return f"<mrow>{terms}</mrow>"

    def atom(self, operation: Operation) -> str:
        leaf = self.leaf(operation)
        if leaf is not None:
            return leaf
        if operation.op == "constant":
            return f"<mn>{write_number(operation.value)}</mn>"
        if operation.op == "transpose":
            return f"<msup>{self.expression(operation.args[0], TIGHTEST)}<mo>⊤</mo></msup>"
        name = "σ" if operation.op == "sigmoid" else operation.op
        args = "<mo>,</mo>".join(self.arguments(operation))
        return f"<mrow><mi>{name}</mi><mrow><mo>(</mo>{args}<mo>)</mo></mrow></mrow>"

    def arguments(self, operation: Operation) -> list[str]:
        args = [self.expression(arg) for arg in operation.args]
        is_random = FUNCTIONS[operation.op].kind == "random"
        return [*args, f"<mn>{write_number(operation.value)}</mn>"] if is_random else args


def _split(name: str) -> tuple[str, str]:
    """Letter and subscript: ``W_i`` -> W, i; ``b2`` -> b, 2."""
    base, _, subscript = name.partition("_")
    match = re.fullmatch(r"([^\W\d]+)(\d+)", base)
    return match.groups() if match and not subscript else (base, subscript)  # type: ignore


def _latex_text(name: str) -> str:
    return name.replace("_", r"\_")


def _latex_number(value: float) -> str:
    mantissa, _, exponent = write_number(value).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
