"""Regularisers as transforms: a Program in, a Program out.

They insert the language's own random functions, so a transformed cell is still
text that can be read, stored and parsed.  :func:`training` and
:func:`evaluation` then replace the random functions for an engine: by masks it
is given, or by their expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from penstock.equations.functions import FUNCTIONS
from penstock.equations.plan import plan
from penstock.equations.program import Assignment, Operation, Program, Weight
from penstock.errors import ConfigError, unknown

__all__ = [
    "evaluation",
    "layer_normalised",
    "recurrent_dropout",
    "training",
    "variational_dropout",
    "weight_drop",
    "zoneout",
]


class _Rewriter:
    """Rebuilds a program's operations one after another."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.operations: list[Operation] = []
        self.moved: dict[int, int] = {}

    def add(self, operation: Operation) -> int:
        self.operations.append(operation)
        return len(self.operations) - 1

    def run(self, rewrite: Callable[[int, Operation], int]) -> Program:
        """Give every operation, its operands already moved, to ``rewrite``."""
        for index, operation in enumerate(self.program.operations):
            args = tuple(self.moved[arg] for arg in operation.args)
            self.moved[index] = rewrite(index, replace(operation, args=args))
        lines = tuple(
            Assignment(line.name, self.moved[line.index], line.comment)
            for line in self.program.assignments
        )
        return replace(self.program, operations=tuple(self.operations), assignments=lines)


def layer_normalised(program: Program) -> Program:
    """Every matrix product normalised over its units, with a learnt gain.

    ``W @ x`` becomes ``gain_W * layernorm(W @ x)``; the cell's biases stay as they are.
    Source: Ba, Kiros & Hinton 2016, equations 20-22.
    """
    rewriter = _Rewriter(program)
    gains: dict[str, Weight] = {}

    def rewrite(index: int, operation: Operation) -> int:
        product = rewriter.add(operation)
        if operation.op != "matmul" or len(operation.shape) != 1:
            return product
        name = f"gain_{_matrix_name(program, index)}"
        while name in gains:
            name += "_"
        gains[name] = Weight(name, operation.shape, 1.0)
        gain = rewriter.add(Operation("weight", name=name, shape=operation.shape))
        normed = rewriter.add(Operation("layernorm", (product,), shape=operation.shape))
        return rewriter.add(Operation("mul", (gain, normed), shape=operation.shape))

    rewritten = rewriter.run(rewrite)
    return replace(rewritten, weights=(*program.weights, *gains.values()))


def variational_dropout(program: Program, *, inputs: float = 0.0, states: float = 0.0) -> Program:
    """One mask per sequence on what enters the products.

    Args:
        program: the cell.
        inputs: probability of dropping a unit of x where it is multiplied by a matrix.
        states: probability of dropping a unit of an earlier state where it enters a
            product, as in ``U @ h[t-1]`` or ``U @ (r * h[t-1])``.

    Source: Gal & Ghahramani 2016, section 4.
    """
    rates = {"input": _rate(inputs, "inputs"), "state": _rate(states, "states")}
    rewriter = _Rewriter(program)
    dropped: dict[int, int] = {}

    def drop(index: int) -> int:
        operation = program.operations[index]
        rate = rates.get(operation.op, 0.0)
        if operation.op == "mul":
            args = tuple(drop(arg) for arg in operation.args)
            moved = tuple(rewriter.moved[arg] for arg in operation.args)
            same = args == moved
            return rewriter.moved[index] if same else rewriter.add(replace(operation, args=args))
        if not rate:
            return rewriter.moved[index]
        if index not in dropped:
            random = Operation("dropout", (rewriter.moved[index],), value=rate)
            dropped[index] = rewriter.add(replace(random, shape=operation.shape))
        return dropped[index]

    def rewrite(index: int, operation: Operation) -> int:
        if operation.op == "matmul" and len(operation.shape) == 1:
            operand = drop(program.operations[index].args[1])
            operation = replace(operation, args=(operation.args[0], operand))
        return rewriter.add(operation)

    return rewriter.run(rewrite)


def recurrent_dropout(
    program: Program, probability: float, *, names: Iterable[str] | None = None
) -> Program:
    """A new mask each step on the update of the state, never on the state itself.

    Args:
        program: the cell.
        probability: of dropping a unit of the update.
        names: the assigned values that are the update; by default those computed by a
            function other than a gate's sigmoid (``g`` of the LSTM).

    Source: Semeniuta, Severyn & Barth 2016, equation 12.
    """
    rate = _rate(probability, "probability")
    targets = {_assigned(program, name) for name in names} if names else _updates(program)
    if not targets:
        raise ConfigError(
            f"{program.name}: recurrent dropout found no named update of the state. "
            f"Give names=[...] from {', '.join(program.indices)}."
        )
    rewriter = _Rewriter(program)

    def rewrite(index: int, operation: Operation) -> int:
        new = rewriter.add(operation)
        if index not in targets:
            return new
        random = Operation("step_dropout", (new,), value=rate, shape=operation.shape)
        return rewriter.add(random)

    return rewriter.run(rewrite)


def zoneout(program: Program, rates: Mapping[str, float]) -> Program:
    """Units of a state keep their earlier value at random.

    Within the step, other equations still see the state as computed.

    Args:
        program: the cell.
        rates: state name to the probability of keeping the earlier value.

    Source: Krueger et al. 2017, section 3.
    """
    for name in rates:
        if name not in program.states:
            raise unknown("zoneout", "state", name, program.states)
    operations = list(program.operations)
    lines = []
    for line in program.assignments:
        if rates.get(line.name):
            shape = operations[line.index].shape
            old = Operation("state", name=line.name, delay=1, shape=shape)
            if old not in operations:
                operations.append(old)
            args = (line.index, operations.index(old))
            rate = _rate(rates[line.name], line.name)
            operations.append(Operation("zoneout", args, value=rate, shape=shape))
            line = replace(line, index=len(operations) - 1)  # noqa: PLW2901
        lines.append(line)
    return replace(program, operations=tuple(operations), assignments=tuple(lines))


def weight_drop(
    program: Program, probability: float, *, names: Iterable[str] | None = None
) -> Program:
    """Entries of the recurrent matrices dropped, one mask per call for all sequences.

    Args:
        program: the cell.
        probability: of dropping an entry.
        names: the matrices; by default those that multiply a state inside the loop.

    Source: Merity, Keskar & Socher 2018, section 2 (DropConnect of Wan et al. 2013).
    """
    rate = _rate(probability, "probability")
    known = [weight.name for weight in program.weights if len(weight.shape) == 2]
    chosen = set(names) if names is not None else _recurrent(program)
    for name in chosen:
        if name not in known:
            raise unknown("weight_drop", "matrix", name, known)
    rewriter = _Rewriter(program)

    def rewrite(index: int, operation: Operation) -> int:
        new = rewriter.add(operation)
        if operation.op != "weight" or operation.name not in chosen:
            return new
        random = Operation("weight_drop", (new,), value=rate, shape=operation.shape)
        return rewriter.add(random)

    return rewriter.run(rewrite)


def training(program: Program) -> Program:
    """The program an engine trains: random functions read masks it is given.

    A mask holds 1 (keep) with probability 1 - p and 0 otherwise; what is kept is scaled
    by 1 / (1 - p), so that evaluation needs no scaling.
    """
    rewriter = _Rewriter(program)

    def rewrite(_: int, operation: Operation) -> int:
        if not _is_random(operation):
            return rewriter.add(operation)
        shape, rate = operation.shape, operation.value
        per = {"dropout": "sequence", "weight_drop": "weight"}.get(operation.op, "step")
        name = f"noise_{len(rewriter.operations)}"
        mask = rewriter.add(Operation("noise", name=name, value=rate, per=per, shape=shape))
        if operation.op == "zoneout":
            return _mix(rewriter, operation, mask)
        scale = rewriter.add(Operation("constant", value=1 / (1 - rate)))
        scaled = rewriter.add(Operation("mul", (mask, scale), shape=shape))
        return rewriter.add(Operation("mul", (operation.args[0], scaled), shape=shape))

    return rewriter.run(rewrite)


def evaluation(program: Program) -> Program:
    """The program without chance: every random function replaced by its expectation."""
    rewriter = _Rewriter(program)

    def rewrite(_: int, operation: Operation) -> int:
        if not _is_random(operation):
            return rewriter.add(operation)
        if operation.op != "zoneout":
            return operation.args[0]
        keep = rewriter.add(Operation("constant", value=1 - operation.value))
        return _mix(rewriter, operation, keep)

    return rewriter.run(rewrite)


def _mix(rewriter: _Rewriter, operation: Operation, share: int) -> int:
    """``old + share * (new - old)``."""
    (new, old), shape = operation.args, operation.shape
    change = rewriter.add(Operation("sub", (new, old), shape=shape))
    part = rewriter.add(Operation("mul", (share, change), shape=shape))
    return rewriter.add(Operation("add", (old, part), shape=shape))


def _is_random(operation: Operation) -> bool:
    return operation.op in FUNCTIONS and FUNCTIONS[operation.op].kind == "random"


def _rate(value: float, name: str) -> float:
    if not 0 <= value < 1:
        raise ConfigError(f"expected {name} from 0 up to 1, got {name}={value}.")
    return value


def _assigned(program: Program, name: str) -> int:
    if name not in program.indices:
        raise unknown(program.name, "value", name, program.indices)
    return program.indices[name]


def _updates(program: Program) -> set[int]:
    indices = program.indices.items()
    return {
        index
        for name, index in indices
        if name not in program.states
        and FUNCTIONS.get(program.operations[index].op, FUNCTIONS["layernorm"]).kind
        == "elementwise"
        and program.operations[index].op not in ("sigmoid", "hard_sigmoid")
        and any(program.operations[a].op == "matmul" for a in program.ancestors([index]))
    }


def _recurrent(program: Program) -> set[str]:
    made = plan(program)
    operations = made.program.operations
    return {
        operations[leaf].name
        for index, operation in enumerate(operations)
        if operation.op == "matmul" and made.stages[index] == "loop"
        for leaf in made.program.ancestors([operation.args[0]])
        if operations[leaf].op == "weight" and len(operations[leaf].shape) == 2
    }


def _matrix_name(program: Program, index: int) -> str:
    left = program.operations[index].args[0]
    leaves = [program.operations[leaf].name for leaf in sorted(program.ancestors([left]))]
    return next(name for name in leaves if name)
