"""Regularisers as transforms: a Program in, a Program out.

They insert the language's own functions, so a transformed cell is still text that can
be read, stored and parsed.  What the random ones do in training and in evaluation is
in :mod:`penstock.equations.chance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from penstock.equations.functions import FUNCTIONS
from penstock.equations.plan import plan
from penstock.equations.program import Operation, Program, Weight
from penstock.equations.rewrite import Rewriter, canonical, new_name
from penstock.errors import ConfigError, unknown

__all__ = [
    "layer_normalised",
    "recurrent_dropout",
    "variational_dropout",
    "weight_drop",
    "zoneout",
]


def layer_normalised(program: Program) -> Program:
    """Every matrix product normalised over its units, with a learnt gain.

    ``W @ x`` becomes ``gain_W * layernorm(W @ x)``; the cell's biases stay as they are.
    Source: Ba, Kiros & Hinton 2016, equations 20-22.
    """
    rewriter = Rewriter(program)
    gains: list[Weight] = []

    def rewrite(index: int, operation: Operation) -> int:
        product = rewriter.add(operation)
        if not program.is_product(index):
            return product
        taken = {*program.names, *(gain.name for gain in gains)}
        name = new_name(f"gain_{_matrix_name(program, index)}", taken)
        gains.append(Weight(name, operation.shape, 1.0))
        gain = rewriter.add(Operation("weight", name=name, shape=operation.shape))
        normed = rewriter.add(Operation("layernorm", (product,), shape=operation.shape))
        return rewriter.add(Operation("mul", (gain, normed), shape=operation.shape))

    rewritten = rewriter.run(rewrite)
    return canonical(replace(rewritten, weights=(*program.weights, *gains)))


def variational_dropout(program: Program, *, inputs: float = 0.0, states: float = 0.0) -> Program:
    """One mask per sequence on what enters the products.

    Args:
        program: the cell.
        inputs: probability of dropping a unit of x where it is multiplied by a matrix.
        states: probability of dropping a unit of an earlier state where it enters a
            product, as in ``U @ h[t-1]`` or ``U @ (r * h[t-1])``.

    Source: Gal & Ghahramani 2016, section 4.
    """
    owner = "variational_dropout"
    rates = {"input": _rate(owner, "inputs", inputs), "state": _rate(owner, "states", states)}
    rewriter = Rewriter(program)
    dropped: dict[int, int] = {}

    def drop(index: int) -> int:
        operation = program.operations[index]
        rate = rates.get(operation.op, 0.0)
        if operation.op == "mul":
            args = tuple(drop(arg) for arg in operation.args)
            return rewriter.add(replace(operation, args=args))
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

    dropping = rewriter.run(rewrite)
    found = {program.operations[index].op for index in dropped}
    for kind, words in (("input", "x"), ("state", "an earlier state")):
        if rates[kind] and kind not in found:
            raise ConfigError(f"{owner}: {program.name} multiplies no matrix by {words}.")
    return canonical(dropping)


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
    rate = _rate("recurrent_dropout", "probability", probability)
    known = {n: i for n, i in program.indices.items() if len(program.operations[i].shape) == 1}
    chosen = _updates(program) if names is None else set(names)
    for name in chosen:
        if name not in known:
            raise unknown("recurrent_dropout", "vector", name, known)
    if not chosen:
        raise ConfigError(
            f"recurrent_dropout: {program.name} has no named update of the state. "
            f"Give names=[...] from {', '.join(known)}."
        )
    targets = {known[name] for name in chosen}
    rewriter = Rewriter(program)

    def rewrite(index: int, operation: Operation) -> int:
        new = rewriter.add(operation)
        if index not in targets:
            return new
        random = Operation("step_dropout", (new,), value=rate, shape=operation.shape)
        return rewriter.add(random)

    return canonical(rewriter.run(rewrite))


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
            rate = _rate("zoneout", line.name, rates[line.name])
            operations.append(Operation("zoneout", args, value=rate, shape=shape))
            line = replace(line, index=len(operations) - 1)  # noqa: PLW2901
        lines.append(line)
    return canonical(replace(program, operations=tuple(operations), assignments=tuple(lines)))


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
    rate = _rate("weight_drop", "probability", probability)
    known = [weight.name for weight in program.weights if len(weight.shape) == 2]
    chosen = set(names) if names is not None else _recurrent(program)
    for name in chosen:
        if name not in known:
            raise unknown("weight_drop", "matrix", name, known)
    if not chosen:
        raise ConfigError(f"weight_drop: {program.name} multiplies no matrix inside the loop.")
    rewriter = Rewriter(program)

    def rewrite(index: int, operation: Operation) -> int:
        new = rewriter.add(operation)
        if operation.op != "weight" or operation.name not in chosen:
            return new
        random = Operation("weight_drop", (new,), value=rate, shape=operation.shape)
        return rewriter.add(random)

    return canonical(rewriter.run(rewrite))


def _rate(owner: str, name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(f"{owner}: expected {name} from 0 up to 1, got {name}={value!r}.")
    return value


def _updates(program: Program) -> set[str]:
    """Named values, not states, that a function other than a sigmoid makes from a product."""
    operations = program.operations
    squashing = {name for name, known in FUNCTIONS.items() if known.kind == "elementwise"}
    return {
        name
        for name, index in program.indices.items()
        if name not in program.states
        and operations[index].op in squashing - {"sigmoid", "hard_sigmoid"}
        and any(operations[a].op == "matmul" for a in program.ancestors([index]))
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
