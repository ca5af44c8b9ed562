"""Text of a cell -> Program, with errors that point at the character.

The text is Python expression syntax, read through :mod:`ast` and never
evaluated.  ``docs/equations.md`` is the reference of the language.
"""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
import warnings

from penstock.equations.build import Mistake
from penstock.equations.declare import Declarations
from penstock.equations.expression import Expressions, check_name
from penstock.equations.program import SOURCE, Assignment, Program, Weight
from penstock.errors import EquationError

__all__ = ["parse"]

_SYNTAX_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


def parse(text: str, name: str = "cell") -> Program:
    """Read a cell's equations.

    Args:
        text: the equations, one assignment a line; common indentation and blank lines at
            the start are ignored.
        name: of the cell, for messages.

    Raises:
        EquationError: anything wrong with the text; all mistakes found are in its message.

    Example:
        >>> program = parse("h = tanh(W @ x + U @ h[t-1] + b)", "elman")
        >>> [(weight.name, weight.shape) for weight in program.weights]
        [('W', ('H', 'D')), ('U', ('H', 'H')), ('b', ('H',))]
    """
    return _Parser(text, name).parse()


class _Parser:
    """One reading of one text."""

    def __init__(self, text: str, cell: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
        lines = [line.rstrip() for line in textwrap.dedent(text).split("\n")]
        while lines and not lines[0]:
            lines.pop(0)
        self._text = "\n".join(lines) + "\n"
        self._lines = lines
        self._cell = cell
        self._errors: list[EquationError] = []

    def parse(self) -> Program:
        """The program, or every mistake found in one error."""
        statements = self._statements()
        output = self._output(statements)
        lines = [s for s in statements if isinstance(s, ast.Assign)]
        declared = Declarations()
        for statement in statements:
            if isinstance(statement, ast.AnnAssign):
                self._try(statement, declared.read, statement)
            elif not isinstance(statement, ast.Assign | ast.Return):
                self._mistake(statement, "expected 'name = expression'")
        expressions = Expressions(self._targets(lines), declared)
        comments = self._comments()
        assignments = []
        for statement in lines:
            target = statement.targets[0]
            if not isinstance(target, ast.Name):
                continue
            index = self._try(statement, expressions.assign, target.id, statement.value)
            if index is not None:
                comment = comments.get(statement.end_lineno or 0, "")
                assignments.append(Assignment(target.id, index, comment))
        operations = expressions.build.finish()
        if any(operation.op == "memory" for operation in operations):
            declared.sizes.setdefault("M", 1.0)
        program = Program(
            name=self._cell,
            operations=operations,
            assignments=tuple(assignments),
            weights=self._weights(expressions, declared),
            output=output,
            sizes=tuple(declared.sizes.items()),
        )
        places = {
            line.targets[0].id: line for line in lines if isinstance(line.targets[0], ast.Name)
        }
        self._check_output(expressions, output, places, statements[-1])
        self._check_declarations(expressions, declared, program, places)
        self._check_fields(program, places)
        self._raise_mistakes()
        return program

    def _statements(self) -> list[ast.stmt]:
        if not self._text.strip():
            raise EquationError(
                "the equations are empty. Write at least 'h = ...'.", cell=self._cell
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                statements = ast.parse(self._text).body
        except _SYNTAX_FAULTS as error:
            raise self._syntax_error(error) from None
        if not statements:
            raise EquationError(
                "the equations hold only comments. Write at least 'h = ...'.", cell=self._cell
            )
        return statements

    def _syntax_error(self, error: BaseException) -> EquationError:
        line = getattr(error, "lineno", None) or 0
        column = getattr(error, "offset", None) or 1
        source = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        reason = getattr(error, "msg", None) or str(error)
        if isinstance(error, RecursionError | MemoryError):
            reason = "an expression is nested too deeply"
        return EquationError(
            f"syntax error: {reason}",
            cell=self._cell,
            line=line,
            column=max(1, min(column, len(source) + 1)),
            source=source,
        )

    def _targets(self, lines: list[ast.Assign]) -> set[str]:
        names: set[str] = set()
        for statement in lines:
            target = statement.targets[0]
            if len(statement.targets) != 1 or not isinstance(target, ast.Name):
                self._mistake(target, "expected one name on the left of '='")
            elif target.id in names:
                self._mistake(target, f"{target.id!r} is assigned twice. Use another name.")
            else:
                self._try(target, check_name, target.id)
                names.add(target.id)
        return names

    def _output(self, statements: list[ast.stmt]) -> str:
        returns = [s for s in statements if isinstance(s, ast.Return)]
        if not returns:
            return "h"
        value = returns[0].value
        if len(returns) > 1 or returns[0] is not statements[-1]:
            self._mistake(returns[0], "'return NAME' is the last line, once")
        elif not isinstance(value, ast.Name):
            self._mistake(returns[0], "expected 'return NAME'")
        return value.id if isinstance(value, ast.Name) else "h"

    def _check_output(
        self,
        expressions: Expressions,
        output: str,
        places: dict[str, ast.Assign],
        last: ast.stmt,
    ) -> None:
        if output not in places and not self._errors:
            reason = f"the output {output!r} is never assigned. Add a line '{output} = ...'"
            self._mistake(last, f"{reason} or end with 'return NAME'.")
        elif output in places and expressions.build.rank(expressions.assigned[output]) != 1:
            self._mistake(places[output], f"the output {output!r} must be a vector")
        for name in expressions.of_input_size({output}):
            self._mistake(
                places[name],
                f"shape clash: {name} (H,) takes the input's shape (D,). "
                f"Multiply x by a weight matrix, or declare '{name}: D' to mean it.",
            )

    def _check_declarations(
        self,
        expressions: Expressions,
        declared: Declarations,
        program: Program,
        places: dict[str, ast.Assign],
    ) -> None:
        for name in expressions.unused():
            if not (name == "M" and program.reads_memory):
                self._mistake(declared.nodes[name], f"{name!r} is declared but never used")
        for name in declared.initial:
            if name in expressions.assigned:
                reason = f"{name!r} is assigned below; only a weight has a start value"
                self._mistake(declared.nodes[name], reason)
        for weight in program.weights:
            if weight.fault():
                self._mistake(declared.nodes[weight.name], f"{weight.name!r}: {weight.fault()}")
            if SOURCE in weight.shape:
                self._mistake(
                    declared.nodes.get(weight.name, places[program.output]),
                    f"{weight.name!r} would have an entry for each source word; no weight can. "
                    "Use positions(...) for a vector of a length of its own.",
                )

    def _check_fields(self, program: Program, places: dict[str, ast.Assign]) -> None:
        """Two states must not share a name in the layer's state, as h[t-2] and h_2[t-1] would."""
        owners: dict[str, str] = {}
        for slot in program.slots:
            owner = owners.setdefault(slot.field, slot.name)
            if owner != slot.name:
                longer = max(owner, slot.name, key=len)
                self._mistake(
                    places[longer],
                    f"{longer!r} is also the name of an earlier {min(owner, slot.name, key=len)!r} "
                    "in the layer's state. Use another name.",
                )

    def _raise_mistakes(self) -> None:
        if not self._errors:
            return
        self._errors.sort(key=lambda error: (error.line, error.column))
        first = self._errors[0]
        if len(self._errors) > 1:
            first.args = ("\n".join(str(error) for error in self._errors),)
        raise first

    def _weights(self, expressions: Expressions, declared: Declarations) -> tuple[Weight, ...]:
        sizes = expressions.build.sizes
        return tuple(
            Weight(name, sizes.resolve(shape), declared.initial.get(name))
            for name, shape in expressions.weights.items()
        )

    def _comments(self) -> dict[int, str]:
        """Line number to the comment at its end."""
        comments = {}
        try:
            for token in tokenize.generate_tokens(io.StringIO(self._text).readline):
                if token.type == tokenize.COMMENT:
                    comments[token.start[0]] = token.string.lstrip("#").strip()
        except (tokenize.TokenError, SyntaxError):
            # ast has accepted the text; what tokenize makes of it only loses comments.
            pass
        return comments

    def _try(self, node: ast.AST, function, *args):  # type: ignore[no-untyped-def]
        try:
            return function(*args)
        except Mistake as mistake:
            at = mistake.args[1] if len(mistake.args) > 1 else node
            self._mistake(at, mistake.args[0])
            return None

    def _mistake(self, node: ast.AST, reason: str) -> None:
        line = getattr(node, "lineno", 1)
        source = self._lines[line - 1] if line <= len(self._lines) else ""
        offset = getattr(node, "col_offset", 0)
        column = len(source.encode()[:offset].decode(errors="ignore")) + 1
        self._errors.append(
            EquationError(reason, cell=self._cell, line=line, column=column, source=source)
        )
